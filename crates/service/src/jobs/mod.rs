//! What happens without a request: mail leaves, keys roll, space is freed. Nothing depends on when (R04).

pub mod bins;
pub mod emptying;
pub mod memberships;
pub mod outbox;
pub mod sweep;

#[cfg(test)]
mod tests {
    use crate::keys::KeyRing;
    use crate::password::Passwords;
    use crate::{Moment, Service, Settings};
    use domain::audit::Origin;
    use domain::entropy::Entropy;
    use domain::id::TenantId;
    use domain::mail::Mail;
    use domain::time::{Span, Timestamp};
    use outbound::mail::Mailer;
    use store::{Chore, Options, Place, Recorded, RootKey, Store};

    async fn service(mailer: Mailer) -> (Service, Moment) {
        let (now, entropy) = (Timestamp::from_millis(1_795_435_200_000), Entropy::new([1; 32]));
        let origin = Origin { at: now, correlation: entropy.uuid("x"), address: None, user_agent: None };
        let moment = Moment { now, entropy, origin };
        let root_key = RootKey::new([7; 32]);
        let store =
            Store::open(Options { place: Place::Memory, root_key, readers: 1, reruns: true }).unwrap();
        let keys = KeyRing::open(&store, &moment).await.unwrap();
        let service =
            Service::new(store, keys, Settings::new("https://localhost"), Passwords::new(1).unwrap(), mailer);
        (service, moment)
    }

    async fn enqueue(service: &Service, moment: &Moment) {
        let (id, now) = (moment.entropy.uuid("mail"), moment.now);
        let mail = Mail {
            to: "bob@fabrikam.test".to_owned(),
            cc: Vec::new(),
            reply_to: None,
            subject: "Hello".to_owned(),
            text: "Hello".to_owned(),
            html: "Hello".to_owned(),
        };
        let tenant = service.store.tenant(TenantId::new(moment.entropy.uuid("tenant")));
        let write = tenant.write(move |tx| {
            tx.enqueue_mail(id, &mail, now)?;
            Ok(Recorded::chore(Chore::Delivery, ()))
        });
        write.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_void_goes_after_a_while_and_what_waits_stays() {
        let (service, moment) = service(Mailer::in_memory("invites@localhost")).await;
        let now = moment.now;
        service.create_setup_link(&moment).await.unwrap();
        enqueue(&service, &moment).await;
        assert_eq!(service.sweep(now + Span::days(1)).await.unwrap(), 0);
        assert_eq!(
            service.sweep(now + Span::days(4)).await.unwrap(),
            2,
            "the link, and whom the mail was for"
        );
        assert_eq!(
            service.send_due_mail(now + Span::days(90)).await.unwrap(),
            1,
            "unsent mail is never swept"
        );
        assert_eq!(service.sweep(now + Span::days(130)).await.unwrap(), 1, "the mail");
    }

    #[tokio::test]
    async fn mail_that_cannot_leave_is_tried_again_and_given_up_in_the_end() {
        let (service, moment) = service(Mailer::absent("invites@localhost")).await;
        let now = moment.now;
        enqueue(&service, &moment).await;
        let is_due = |at| service.store.read(|tx| tx.due_outbox(at, 10)).unwrap().len() == 1;
        assert_eq!(service.send_due_mail(now).await.unwrap(), 0);
        assert!(!is_due(now + Span::seconds(59)) && is_due(now + Span::minutes(1)));
        assert_eq!(service.send_due_mail(now + Span::days(4)).await.unwrap(), 0);
        assert!(!is_due(now + Span::days(365)));
    }
}
