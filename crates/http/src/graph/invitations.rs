//! `POST /invitations` (Graph: invitation; facts: b2b §2).

use super::body::Reader;
use super::error::GraphError;
use super::{Answer, Ask, Handled};
use domain::b2b::invitation::NewInvitation;
use domain::directory::change::ChangeRefusal;
use domain::directory::permission::{self, Operation};
use domain::directory::user::UserType;
use domain::id::UserId;
use domain::tenancy::domain_name::Address;
use http::StatusCode;
use serde_json::{Map, Value, json};
use service::directory::DirectoryRefusal;
use service::invite::Invited;

const KNOWN: &[&str] = &[
    "id",
    "invitedUser",
    "invitedUserDisplayName",
    "invitedUserEmailAddress",
    "invitedUserMessageInfo",
    "invitedUserSponsors",
    "invitedUserType",
    "inviteRedeemUrl",
    "inviteRedirectUrl",
    "resetRedemption",
    "sendInvitationMessage",
    "status",
];

pub(super) async fn create(ask: Ask<'_>) -> Handled {
    if let Err(refused) = permission::decide(ask.viewer, &Operation::InviteUser, &[]).into_result() {
        ask.app.service.record_refused_invitation(ask.viewer, refused, ask.moment).await?;
        return Err(DirectoryRefusal::from(refused).into());
    }
    let new = read(&ask.body)?;
    let copies = new.cc.clone();
    let invited = ask.app.service.invite(ask.viewer, new, ask.moment).await?;
    match invited.into_result() {
        Ok(invited) => Ok(Answer::Json(StatusCode::CREATED, render(&ask, &invited, &copies))),
        Err(refusal) => Err(GraphError::Invitation(refusal)),
    }
}

fn read(body: &Map<String, Value>) -> Result<NewInvitation, GraphError> {
    let invalid = |name: &str| GraphError::from(ChangeRefusal::Invalid(name.to_owned()));
    let reader = Reader::new(body, KNOWN)?;
    // Nothing here is silently ignored: what this release cannot do is refused.
    for name in ["id", "inviteRedeemUrl", "status"] {
        if reader.has(name) {
            return Err(ChangeRefusal::ReadOnly(name.to_owned()).into());
        }
    }
    if reader.flag("resetRedemption")? == Some(true) || reader.has("invitedUser") {
        return Err(invalid(if reader.has("invitedUser") { "invitedUser" } else { "resetRedemption" }));
    }
    let address =
        reader.text("invitedUserEmailAddress")?.ok_or(ChangeRefusal::Missing("invitedUserEmailAddress"))?;
    let address =
        Address::parse_invitable(address.trim()).ok_or_else(|| invalid("invitedUserEmailAddress"))?;
    let user_type = match reader.text("invitedUserType")? {
        None => None,
        Some(text) => Some(UserType::parse(&text).ok_or_else(|| invalid("invitedUserType"))?),
    };
    let info = reader.object("invitedUserMessageInfo")?;
    let info = info
        .map(|info| Reader::new(info, &["ccRecipients", "customizedMessageBody", "messageLanguage"]))
        .transpose()?;
    let mut cc = Vec::new();
    for recipient in
        info.as_ref().map(|info| info.objects("ccRecipients")).transpose()?.flatten().unwrap_or_default()
    {
        let address =
            recipient.get("emailAddress").and_then(|address| address.get("address")).and_then(Value::as_str);
        if let Some(address) = address {
            cc.push(Address::parse(address).ok_or_else(|| invalid("ccRecipients"))?);
        }
    }
    Ok(NewInvitation {
        address,
        redirect_url: reader.text("inviteRedirectUrl")?.ok_or(ChangeRefusal::Missing("inviteRedirectUrl"))?,
        display_name: reader.text("invitedUserDisplayName")?,
        user_type,
        wants_mail: reader.flag("sendInvitationMessage")?.unwrap_or(false),
        message: info.as_ref().map(|info| info.text("customizedMessageBody")).transpose()?.flatten(),
        message_language: info.as_ref().map(|info| info.text("messageLanguage")).transpose()?.flatten(),
        cc,
        sponsors: sponsors(body, &reader)?,
    })
}

/// Sponsors as objects with an id, or bound by address.
fn sponsors(body: &Map<String, Value>, reader: &Reader<'_>) -> Result<Vec<UserId>, GraphError> {
    let invalid = || GraphError::from(ChangeRefusal::Invalid("invitedUserSponsors".to_owned()));
    let mut sponsors: Vec<UserId> = Vec::new();
    for object in reader.objects("invitedUserSponsors")?.unwrap_or_default() {
        let id = object.get("id").and_then(Value::as_str).or_else(|| last_segment(object.get("@odata.id")));
        sponsors.push(id.and_then(|id| id.parse().ok()).ok_or_else(invalid)?);
    }
    for bound in body.get("invitedUserSponsors@odata.bind").and_then(Value::as_array).into_iter().flatten() {
        let id = last_segment(Some(bound));
        sponsors.push(id.and_then(|id| id.parse().ok()).ok_or_else(invalid)?);
    }
    sponsors.dedup();
    Ok(sponsors)
}

fn last_segment(address: Option<&Value>) -> Option<&str> {
    address.and_then(Value::as_str)?.rsplit('/').next()
}

fn render(ask: &Ask<'_>, invited: &Invited, copies: &[Address]) -> Value {
    // COMPAT: without copies Graph answers with one that is empty.
    let mut copied: Vec<_> = copies.iter().map(|address| Some(address.as_str())).collect();
    if copied.is_empty() {
        copied.push(None);
    }
    let recipient = |address: &Option<&str>| json!({ "emailAddress": { "name": null, "address": address } });
    json!({
        "@odata.context": super::render::context(ask, "invitations", true),
        "id": invited.id.to_string(),
        "inviteRedeemUrl": invited.redeem_url,
        "invitedUserDisplayName": invited.display_name,
        "invitedUserType": invited.user_type,
        "invitedUserEmailAddress": invited.address,
        "sendInvitationMessage": invited.mail_sent,
        "resetRedemption": false,
        "inviteRedirectUrl": invited.redirect_url,
        "status": if invited.is_accepted { "Completed" } else { "PendingAcceptance" },
        "invitedUserMessageInfo": {
            "messageLanguage": invited.message_language,
            "ccRecipients": copied.iter().map(recipient).collect::<Vec<_>>(),
            "customizedMessageBody": invited.message,
        },
        "invitedUser": { "id": invited.guest.to_string() },
    })
}
