//! R03 opaque tickets, R04 expiry at use, R05 the link is a hint, R06 redirects, R07 invitation mail.

use domain::time::Span;
use serde_json::json;
use testkit::{BASE, CONTOSO, World};

async fn state_of(world: &World, guest: &str) -> String {
    let token = world.daemon_token(CONTOSO).await;
    let path = format!("/v1.0/users/{guest}?$select=externalUserState");
    world.graph(&token, "GET", &path, None).await.json()["externalUserState"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn r03_a_changed_ticket_opens_nothing_and_parameters_beside_it_change_nothing() {
    let world = World::new().await;
    let invitation = world.invite(CONTOSO, "bob@fabrikam.test").await;
    let url = invitation["inviteRedeemUrl"].as_str().unwrap().to_owned();
    let at = url.find("ticket=").unwrap() + 40;
    for position in [at, at + 5, at + 20] {
        let mut bytes = url.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        let page = world.browser().get(&String::from_utf8(bytes).unwrap()).await;
        assert!(page.text.contains("no such invitation"), "{}", page.text);
    }
    let mut browser = world.browser();
    let page = browser.get(&format!("{url}&invitedUserEmailAddress=eve@fabrikam.test&roles=admin")).await;
    assert!(
        page.text.contains("bob@fabrikam.test") && !page.text.contains("eve@fabrikam.test"),
        "{}",
        page.text
    );
}

#[tokio::test]
async fn r04_an_expired_ticket_is_refused_though_nothing_swept_it() {
    let world = World::new().await;
    let invitation = world.invite(CONTOSO, "bob@fabrikam.test").await;
    world.advance(Span::days(90));
    world.advance(Span::seconds(1));
    let mut browser = world.browser();
    let page = browser.get(invitation["inviteRedeemUrl"].as_str().unwrap()).await;
    let page = browser.sign_in(page, "bob@fabrikam.test").await;
    assert!(page.text.contains("invitation has expired"), "{}", page.text);
    assert_eq!(
        state_of(&world, invitation["invitedUser"]["id"].as_str().unwrap()).await,
        "PendingAcceptance"
    );
}

#[tokio::test]
async fn r05_neither_another_partner_user_nor_the_inviter_gets_in_with_the_link() {
    let world = World::new().await;
    let invitation = world.invite(CONTOSO, "bob@fabrikam.test").await;
    let url = invitation["inviteRedeemUrl"].as_str().unwrap();
    for name in ["eve@fabrikam.test", "alice@contoso.test"] {
        let mut browser = world.browser();
        let page = browser.get(url).await;
        let page = browser.press(&page, "back", &[]).await;
        let page = browser.sign_in(page, name).await;
        assert!(!page.text.contains("name=\"redemption\""), "{name}: {}", page.text);
    }
    assert_eq!(
        state_of(&world, invitation["invitedUser"]["id"].as_str().unwrap()).await,
        "PendingAcceptance"
    );
}

#[tokio::test]
async fn r06_an_unregistered_redirect_is_shown_and_not_followed() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    for bad in [
        "javascript:alert(1)",
        "https://user@evil.test/",
        "//evil.test/",
        "https:\\\\evil.test",
        "https://evil.test./",
        "http://evil.test/",
    ] {
        let body = json!({ "invitedUserEmailAddress": "bob@fabrikam.test", "inviteRedirectUrl": bad });
        assert_eq!(world.graph(&token, "POST", "/v1.0/invitations", Some(body)).await.status, 400, "{bad}");
    }
    let body = json!({ "invitedUserEmailAddress": "bob@fabrikam.test", "inviteRedirectUrl": "https://elsewhere.test/welcome" });
    let invitation = world.graph(&token, "POST", "/v1.0/invitations", Some(body)).await.json();
    let mut browser = world.browser();
    let page = browser.get(invitation["inviteRedeemUrl"].as_str().unwrap()).await;
    let page = browser.sign_in(page, "bob@fabrikam.test").await;
    let page = browser.press(&page, "accept", &[]).await;
    assert_eq!(page.left_to, None);
    assert!(page.text.contains("elsewhere.test"), "{}", page.text);
}

#[tokio::test]
async fn r06_a_redirect_that_was_given_up_since_the_invitation_is_not_followed() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let body = json!({ "displayName": "Welcome", "web": { "redirectUris": ["https://welcome.test/start"] } });
    let app = world.graph(&token, "POST", "/v1.0/applications", Some(body)).await.json();
    let instance = json!({ "appId": app["appId"] });
    assert_eq!(world.graph(&token, "POST", "/v1.0/servicePrincipals", Some(instance)).await.status, 201);
    for (name, is_given_up) in [("bob@fabrikam.test", false), ("eve@fabrikam.test", true)] {
        let body =
            json!({ "invitedUserEmailAddress": name, "inviteRedirectUrl": "https://welcome.test/start" });
        let invitation = world.graph(&token, "POST", "/v1.0/invitations", Some(body)).await.json();
        if is_given_up {
            let path = format!("/v1.0/applications/{}", app["id"].as_str().unwrap());
            let none = json!({ "web": { "redirectUris": [] } });
            assert_eq!(world.graph(&token, "PATCH", &path, Some(none)).await.status, 204);
        }
        let mut browser = world.browser();
        let page = browser.get(invitation["inviteRedeemUrl"].as_str().unwrap()).await;
        let page = browser.sign_in(page, name).await;
        let page = browser.press(&page, "accept", &[]).await;
        let expected = (!is_given_up).then_some("https://welcome.test/start");
        assert_eq!(page.left_to.as_deref(), expected, "{page:?}");
        assert!(!is_given_up || page.text.contains("welcome.test"), "{page:?}");
    }
}

#[tokio::test]
async fn r07_mail_holds_no_words_of_an_application_and_can_be_blocked() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let body = json!({ "invitedUserEmailAddress": "bob@fabrikam.test", "inviteRedirectUrl": format!("{BASE}/myapps"),
        "sendInvitationMessage": true, "invitedUserDisplayName": "Bob http://evil.test +1 555 0100 \u{202e}gnp",
        "invitedUserMessageInfo": { "customizedMessageBody": "Call +1 555 0100 or https://evil.test" } });
    assert_eq!(world.graph(&token, "POST", "/v1.0/invitations", Some(body.clone())).await.status, 201);
    world.service.send_due_mail(world.moment().now).await.unwrap();
    let sent = world.service.mailer().sent();
    let mail = sent.last().unwrap();
    for lure in ["evil.test", "0100", "\u{202e}", "Call +1"] {
        assert!(
            !mail.text.contains(lure) && !mail.html.contains(lure) && !mail.subject.contains(lure),
            "{lure}: {}",
            mail.text
        );
    }
    let block = mail.text.lines().find(|line| line.contains("/redeem/block")).unwrap().trim().to_owned();
    let mut browser = world.browser();
    let page = browser.get(&block).await;
    assert!(page.text.contains("Block invitations?"));
    browser.post(&block, &[]).await;
    world.graph(&token, "POST", "/v1.0/invitations", Some(body)).await;
    world.service.send_due_mail(world.moment().now).await.unwrap();
    assert_eq!(world.service.mailer().sent().len(), sent.len());
}

#[tokio::test]
async fn r07_one_address_gets_ten_mails_a_day_at_most() {
    let world = World::new().await;
    for _ in 0..15 {
        world.invite(CONTOSO, "bob@fabrikam.test").await;
    }
    world.service.send_due_mail(world.moment().now).await.unwrap();
    assert_eq!(world.service.mailer().sent().len(), 10);
}

/// An invitation by mail with a copy.
fn copied(to: &str, cc: &str) -> serde_json::Value {
    json!({ "invitedUserEmailAddress": to, "inviteRedirectUrl": format!("{BASE}/myapps"), "sendInvitationMessage": true,
        "invitedUserMessageInfo": { "ccRecipients": [{ "emailAddress": { "address": cc } }] } })
}

#[tokio::test]
async fn r07_who_gets_a_copy_is_counted_and_can_block_like_who_is_invited() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    for number in 0..12 {
        let body = copied(&format!("guest{number}@elsewhere.test"), "eve@fabrikam.test");
        assert_eq!(world.graph(&token, "POST", "/v1.0/invitations", Some(body)).await.status, 201);
    }
    world.service.send_due_mail(world.moment().now).await.unwrap();
    let sent = world.service.mailer().sent();
    let with_copy = sent.iter().filter(|mail| mail.cc == ["eve@fabrikam.test"]).count();
    assert_eq!((sent.len(), with_copy), (12, 10));
    // What came as copies counts for a mail of one's own.
    world.invite(CONTOSO, "eve@fabrikam.test").await;
    world.service.send_due_mail(world.moment().now).await.unwrap();
    assert_eq!(world.service.mailer().sent().len(), 12);
    // The link in a copy blocks mails and copies alike.
    world.advance(Span::days(2));
    let token = world.daemon_token(CONTOSO).await;
    let block = sent[0].text.lines().find(|line| line.contains("/redeem/block")).unwrap().trim().to_owned();
    world.browser().post(&block, &[]).await;
    let body = copied("new@elsewhere.test", "eve@fabrikam.test");
    world.graph(&token, "POST", "/v1.0/invitations", Some(body)).await;
    world.invite(CONTOSO, "eve@fabrikam.test").await;
    world.service.send_due_mail(world.moment().now).await.unwrap();
    let sent = world.service.mailer().sent();
    assert_eq!(sent.len(), 13);
    assert_eq!((sent[12].to.as_str(), sent[12].cc.len()), ("new@elsewhere.test", 0));
}

#[tokio::test]
async fn r07_no_name_in_the_mail_is_a_lure() {
    let world = World::new().await;
    let daemon = world.daemon_token(CONTOSO).await;
    let lure =
        |name: &str| format!("{name} evil\u{3002}test +1 55 50 10 \u{61c}gnp P\u{430}ypal a\u{ff20}evil");
    let alice = world.user("alice@contoso.test").id.unwrap();
    // Nobody but an administrator calls herself so; the tenant's name is its administrator's.
    let tokens = world
        .sign_in(CONTOSO, "web", "alice@contoso.test", "openid User.ReadWrite.All User.Invite.All")
        .await;
    let token = tokens["access_token"].as_str().unwrap();
    for (token, path, name) in [
        (daemon.as_str(), format!("/v1.0/organization/{}", world.tenant_id(CONTOSO)), "Contoso"),
        (token, format!("/v1.0/users/{alice}"), "Alice"),
    ] {
        let renamed = world.graph(token, "PATCH", &path, Some(json!({ "displayName": lure(name) }))).await;
        assert_eq!(renamed.status, 204, "{}", renamed.text);
    }
    let body = json!({ "invitedUserEmailAddress": "bob@fabrikam.test", "inviteRedirectUrl": format!("{BASE}/myapps"),
        "sendInvitationMessage": true, "invitedUserDisplayName": lure("Bob") });
    assert_eq!(world.graph(token, "POST", "/v1.0/invitations", Some(body)).await.status, 201);
    world.service.send_due_mail(world.moment().now).await.unwrap();
    let sent = world.service.mailer().sent();
    let mail = sent.last().unwrap();
    assert!(mail.text.starts_with("Bob gnp, you are invited."), "{}", mail.text);
    assert!(mail.text.contains("Alice gnp of Contoso gnp invites you"), "{}", mail.text);
    for lure in ["evil", "55 50", "\u{61c}", "P\u{430}ypal"] {
        assert!(
            ![&mail.subject, &mail.text, &mail.html].iter().any(|text| text.contains(lure)),
            "{lure}: {mail:?}"
        );
    }
}
