//! Balances, tokens and opt-outs.

use super::transaction::{Outcome, Stop, Work};
use crate::accounts::Reserved;
use crate::application::Token;
use crate::batch::SuppressionChange;
use crate::suppression::Suppression;
use crate::wanted::SuppressionOf;
use flow::{Event, Price, Submit};
use uuid::Uuid;

impl Work<'_> {
    /// What an application may still spend, as this transaction has it so far; `None` if it has no balance.
    fn balance(&mut self, application: &str) -> Outcome<Option<Price>> {
        let Some(balance) = self.found.balances.get(application) else {
            self.wanted.balances.insert(application.to_owned());
            return Err(Stop::Missing);
        };
        let spent = self.batch.spent.get(application).copied().unwrap_or_default();
        Ok(balance.map(|balance| balance - spent))
    }

    /// Holds a part's price, or ends the flow.
    pub(crate) fn reserve(
        &mut self,
        id: Uuid,
        message: u16,
        part: u16,
        price: Price,
        now_ms: i64,
    ) -> Outcome<Reserved> {
        let Some(stored) = self.stage(id)? else { return Ok(Reserved::Gone) };
        let application = stored.flow.application.clone();
        let state = stored.flow.state.messages.get(usize::from(message));
        let state = state.and_then(|state| state.parts.get(usize::from(part)));
        let owed = state.filter(|state| matches!(state.submit, Submit::Owed { .. }));
        let Some(held) = owed.map(|state| state.held.unwrap_or_default()) else { return Ok(Reserved::Gone) };
        let Some(balance) = self.balance(&application)? else { return Ok(Reserved::Yes) };
        if balance + held < price {
            self.apply(id, &Event::Unaffordable { message }, now_ms)?;
            return Ok(Reserved::No);
        }
        self.apply(id, &Event::Reserved { message, part, price }, now_ms)?;
        Ok(Reserved::Yes)
    }

    /// Keeps a token.
    pub(crate) fn add_token(&mut self, token: &Token, tokens_max: usize) {
        self.batch.tokens.push((token.clone(), tokens_max));
    }

    /// Keeps that a recipient opted out.
    pub(crate) fn suppress(&mut self, suppression: &Suppression) {
        self.batch.suppressions.push(SuppressionChange::Add(suppression.clone()));
    }

    /// Forgets that a recipient opted out; returns whether it had.
    pub(crate) fn unsuppress(&mut self, of: &SuppressionOf) -> Outcome<bool> {
        let changed = self.batch.suppressions.iter().rev().find_map(|change| match change {
            SuppressionChange::Add(Suppression { application, channel, recipient, .. }) => {
                ((application, *channel, recipient) == (&of.0, of.1, &of.2)).then_some(true)
            }
            SuppressionChange::Remove(removed) => (removed == of).then_some(false),
        });
        let Some(was_suppressed) = changed.or(self.found.suppressions.get(of).copied()) else {
            self.wanted.suppressions.insert(of.clone());
            return Err(Stop::Missing);
        };
        if was_suppressed {
            self.batch.suppressions.push(SuppressionChange::Remove(of.clone()));
        }
        Ok(was_suppressed)
    }
}
