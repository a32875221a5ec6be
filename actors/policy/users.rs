//! Users as conditions see them.

use super::contexts::USER;
use crate::expression::{context, kept_cel_value};
use crate::model::principal::Principal;
use cel_interpreter::Context;
use std::collections::HashMap;
use std::sync::Arc;

/// Users whose context is kept; beyond it all are forgotten and made anew when needed.
const CACHED_USERS_MAX: usize = 1_024;

/// A context in which `user` is the caller.
pub(super) fn context_of(principal: &Principal) -> Context<'static, 'static> {
    let mut context = context();
    context.add_variable_as_val(USER, kept_cel_value(&principal.policy_user()));
    context
}

/// The contexts of users who called lately: they are made once per session, not once per call.
///
/// Keyed by the address of the shared principal, which stays taken as long as it is kept here.
#[derive(Default)]
pub(super) struct UserCache {
    users: HashMap<*const Principal, (Arc<Principal>, Context<'static, 'static>)>,
}

impl UserCache {
    pub(super) fn get(&mut self, principal: &Arc<Principal>) -> &Context<'static, 'static> {
        let is_known = self.users.contains_key(&Arc::as_ptr(principal));
        if !is_known && self.users.len() >= CACHED_USERS_MAX {
            self.users.clear();
        }
        let make = || (Arc::clone(principal), context_of(principal));
        &self.users.entry(Arc::as_ptr(principal)).or_insert_with(make).1
    }
}
