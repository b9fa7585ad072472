//! What lists of roles and role assignments may be asked: few properties, and no columns to plan for (Graph:
//! unifiedRoleDefinition, unifiedRoleAssignment).

use crate::directory::query::QueryRefusal;
use crate::directory::role::RoleTemplate;
use crate::id::RoleTemplateId;
use standards::odata::filter::{Expr, Literal, Operator};
use uuid::Uuid;

/// Which assignments are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// None can fit: of another scope, or of two principals at once.
    Nothing,
    Of {
        principal: Option<Uuid>,
        role: Option<RoleTemplateId>,
    },
}

/// Reads a filter of assignments: comparisons with `eq`, joined by `and`.
pub fn assignments(filter: Option<&Expr>) -> Result<Wanted, QueryRefusal> {
    let Some(filter) = filter else { return Ok(Wanted::Of { principal: None, role: None }) };
    match filter {
        Expr::And(left, right) => Ok(both(assignments(Some(left))?, assignments(Some(right))?)),
        Expr::Compare { path, operator: Operator::Eq, value } => {
            let text = text_of(path, value)?;
            // What is no id is nobody's.
            let of = |wanted: Option<Wanted>| Ok(wanted.unwrap_or(Wanted::Nothing));
            let id = Uuid::parse_str(text).ok();
            match path.as_str() {
                "principalId" => of(id.map(|id| Wanted::Of { principal: Some(id), role: None })),
                "roleDefinitionId" => {
                    of(id.map(|id| Wanted::Of { principal: None, role: Some(RoleTemplateId::new(id)) }))
                }
                "directoryScopeId" => {
                    of((text == "/").then_some(Wanted::Of { principal: None, role: None }))
                }
                _ => Err(QueryRefusal::UnknownProperty(path.clone())),
            }
        }
        Expr::Any { .. }
        | Expr::Call { .. }
        | Expr::Compare { .. }
        | Expr::In { .. }
        | Expr::Not(_)
        | Expr::Or(..) => Err(QueryRefusal::Unsupported(
            "Role assignments are filtered by principalId, roleDefinitionId and directoryScopeId with 'eq' and 'and'."
                .to_owned(),
        )),
    }
}

fn both(left: Wanted, right: Wanted) -> Wanted {
    let (Wanted::Of { principal, role }, Wanted::Of { principal: other, role: other_role }) = (left, right)
    else {
        return Wanted::Nothing;
    };
    let differ = |left: Option<Uuid>, right: Option<Uuid>| left.zip(right).is_some_and(|(l, r)| l != r);
    let uuid = |role: Option<RoleTemplateId>| role.map(RoleTemplateId::uuid);
    if differ(principal, other) || differ(uuid(role), uuid(other_role)) {
        return Wanted::Nothing;
    }
    Wanted::Of { principal: principal.or(other), role: role.or(other_role) }
}

/// Whether a built-in role fits a filter of roles or their definitions. Texts are compared without case.
pub fn fits(role: &RoleTemplate, filter: &Expr) -> Result<bool, QueryRefusal> {
    match filter {
        Expr::And(left, right) => Ok(fits(role, left)? & fits(role, right)?),
        Expr::Or(left, right) => Ok(fits(role, left)? | fits(role, right)?),
        Expr::Not(inner) => Ok(!fits(role, inner)?),
        Expr::Compare { path, operator: operator @ (Operator::Eq | Operator::Ne), value } => {
            let is_equal = match path.as_str() {
                // Every role here is both.
                "isBuiltIn" | "isEnabled" => match value {
                    Literal::Bool(is) => *is,
                    Literal::Bare(_) | Literal::Null | Literal::Text(_) => {
                        return Err(QueryRefusal::WrongType(path.clone()));
                    }
                },
                _ => text(role, path)?.eq_ignore_ascii_case(text_of(path, value)?),
            };
            Ok(is_equal == (*operator == Operator::Eq))
        }
        Expr::Call { function, path, text: beginning } if function == "startswith" => {
            Ok(text(role, path)?.to_lowercase().starts_with(&beginning.to_lowercase()))
        }
        Expr::In { path, values } => {
            let own = text(role, path)?;
            let mut is_in = false;
            for value in values {
                is_in |= own.eq_ignore_ascii_case(text_of(path, value)?);
            }
            Ok(is_in)
        }
        Expr::Any { .. } | Expr::Call { .. } | Expr::Compare { .. } => Err(QueryRefusal::Unsupported(
            "Role definitions are filtered by displayName, id, templateId, isBuiltIn and isEnabled with 'eq', 'ne', 'in' and startsWith."
                .to_owned(),
        )),
    }
}

fn text(role: &RoleTemplate, path: &str) -> Result<String, QueryRefusal> {
    match path {
        "displayName" => Ok(role.name.to_owned()),
        "id" | "roleTemplateId" | "templateId" => Ok(role.id.to_string()),
        _ => Err(QueryRefusal::UnknownProperty(path.to_owned())),
    }
}

fn text_of<'a>(path: &str, value: &'a Literal) -> Result<&'a str, QueryRefusal> {
    match value {
        Literal::Bare(text) | Literal::Text(text) => Ok(text),
        Literal::Bool(_) | Literal::Null => Err(QueryRefusal::WrongType(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::role;
    use standards::odata::filter;

    fn wanted(text: &str) -> Result<Wanted, QueryRefusal> {
        assignments(Some(&filter::parse(text).unwrap()))
    }

    #[test]
    fn assignments_are_found_by_both_ends() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let of =
            |principal, role: Option<Uuid>| Ok(Wanted::Of { principal, role: role.map(RoleTemplateId::new) });
        assert_eq!(wanted(&format!("principalId eq '{one}'")), of(Some(one), None));
        assert_eq!(
            wanted(&format!("roleDefinitionId eq '{two}' and directoryScopeId eq '/'")),
            of(None, Some(two))
        );
        assert_eq!(
            wanted(&format!("principalId eq '{one}' and roleDefinitionId eq '{two}'")),
            of(Some(one), Some(two))
        );
        for nothing in ["principalId eq 'x'", "directoryScopeId eq '/administrativeUnits/1'"] {
            assert_eq!(wanted(nothing), Ok(Wanted::Nothing), "{nothing}");
        }
        assert_eq!(
            wanted(&format!("principalId eq '{one}' and principalId eq '{two}'")),
            Ok(Wanted::Nothing)
        );
        for refused in
            ["principalId ne 'x'", "principalId eq 'x' or principalId eq 'y'", "startsWith(principalId,'x')"]
        {
            assert!(matches!(wanted(refused), Err(QueryRefusal::Unsupported(_))), "{refused}");
        }
        assert!(matches!(wanted("condition eq 'x'"), Err(QueryRefusal::UnknownProperty(_))));
        assert!(matches!(wanted("principalId eq null"), Err(QueryRefusal::WrongType(_))));
    }

    #[test]
    fn definitions_are_found_by_name_and_template() {
        let names = |text: &str| -> Vec<&'static str> {
            let filter = filter::parse(text).unwrap();
            role::ALL.iter().filter(|role| fits(role, &filter).unwrap()).map(|role| role.name).collect()
        };
        assert_eq!(names("displayName eq 'global administrator'"), ["Global Administrator"]);
        assert_eq!(names("templateId eq '62e90394-69f5-4237-9190-012177145e10'"), ["Global Administrator"]);
        assert_eq!(names("startsWith(displayName,'global')"), ["Global Administrator", "Global Reader"]);
        assert_eq!(names("isBuiltIn eq false"), Vec::<&str>::new());
        assert_eq!(names("isBuiltIn eq true").len(), role::ALL.len());
        assert_eq!(names("displayName in ('Guest Inviter','X')"), ["Guest Inviter"]);
        let unknown = filter::parse("version eq '1'").unwrap();
        assert!(fits(&role::GUEST_INVITER, &unknown).is_err());
    }
}
