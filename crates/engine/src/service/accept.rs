//! Accepts a flow: everything that is checked when it is sent (contract, section 2).

use super::core::Service;
use crate::clock::{new_flow_id, now_ms};
use crate::targets::{check_sip_address, read_url};
use flow::{
    Channel, ChannelSet, Content, Flow, NewFlow, Restrictions, Rule, SipAddress, Step, Voice, VoiceTarget,
};
use std::collections::HashSet;
use store::{Accepted, Application, IdempotencyKey, StoreError};
use uuid::Uuid;
use wire::broken::BrokenRules;
use wire::channel::wire_of;
use wire::problems::Problems;
use wire::read_send::Draft;
use wire::read_step::{DraftStep, check_step};

/// Who sends a flow.
pub struct Sender<'a> {
    /// The application.
    pub application: &'a Application,
    /// The channels that it may send over.
    pub channels: ChannelSet,
}

/// Why a flow was not accepted. Nothing was stored then.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// It breaks rules.
    #[error(transparent)]
    Broken(#[from] BrokenRules),
    /// The sender may send no more.
    #[error("the application was revoked")]
    Revoked,
    /// A step goes over a channel that the sender may not use.
    #[error("the sender may not send over {0}")]
    Forbidden(Channel),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Service {
    /// Accepts a flow that a door read; durable when it returns. `answer` makes the door's answer of the flow
    /// that is stored: the new one, or, if the idempotency key was used before with the same body, that of
    /// then.
    ///
    /// # Errors
    /// [`AcceptError`].
    pub async fn accept<T>(
        &self,
        sender: &Sender<'_>,
        draft: Draft,
        key: Option<IdempotencyKey>,
        answer: impl Fn(&Flow) -> T,
    ) -> Result<T, AcceptError> {
        if sender.application.revoked_ms.is_some() {
            return Err(AcceptError::Revoked);
        }
        let mut new = self.check(&sender.application.id, draft)?;
        if let Some(step) = new.steps.iter().find(|step| !sender.channels.contains(step.channel())) {
            return Err(AcceptError::Forbidden(step.channel()));
        }
        let now_ms = now_ms();
        new.id = new_flow_id(now_ms);
        let flow = Flow::accept(new, now_ms);
        let answered = answer(&flow);
        match self.store().accept(flow, key, now_ms).await? {
            Accepted::New => {
                metrics::counter!("switchback_flows_accepted_total").increment(1);
                Ok(answered)
            }
            Accepted::Replayed(first) => Ok(answer(&first)),
        }
    }

    /// Checks everything that reading did not; the id is left for the caller to draw.
    fn check(&self, application: &str, draft: Draft) -> Result<NewFlow, BrokenRules> {
        let Draft { kind, mut steps, callback, restrictions, problems } = draft;
        if let Some(callback) = &callback
            && !callback.url.is_empty()
            && let Err(error) = read_url(&callback.url, self.allow_private)
        {
            problems.add("callback.url", Rule::Format, error.to_string());
        }
        for DraftStep { step, path, .. } in &mut steps {
            if problems.is_over() {
                break;
            }
            let known = problems.count();
            check_step(step, path, &self.limits, &problems);
            self.check_sip(step, path, &problems);
            if !self.carried.contains(step.channel()) {
                let message = format!("no carrier for {} is configured on this server", step.channel());
                problems.add(format!("{path}.type"), Rule::Unavailable, message);
            } else if problems.count() == known {
                self.check_carriers(application, step, restrictions.as_ref(), path, &problems);
            }
        }
        if !self.lenient_order {
            check_orders(&steps, &problems);
        }
        problems.finish()?;
        let mut steps: Vec<Step> = steps.into_iter().map(|draft| draft.step).collect();
        // Stable: equal orders stay in the order of the array.
        steps.sort_by_key(|step| step.order);
        let mut new = NewFlow {
            id: Uuid::nil(),
            application: application.to_owned(),
            kind,
            minute_ms: self.minute_ms,
            steps,
            callback,
            restrictions,
            callback_bytes_max: flow::CALLBACK_BYTES,
        };
        let measured = new.measure(&self.limits);
        measured.map_err(|broken| BrokenRules::one(broken.field, broken.rule, broken.message))?;
        Ok(new)
    }

    /// Checks who sends, and that some carrier could carry it; fills in the sender's name.
    fn check_carriers(
        &self,
        application: &str,
        step: &mut Step,
        restrictions: Option<&Restrictions>,
        path: &str,
        problems: &Problems,
    ) {
        let routes = &self.engine.routes;
        match routes.sender(step, application) {
            Ok(sender) => {
                if let (Some(sender), Content::Viber(viber)) = (sender, &mut step.content) {
                    viber.sender_name = sender.name.clone();
                }
            }
            Err(unknown) => {
                let member = wire_of(step.channel()).sender;
                problems.add(format!("{path}.{member}"), Rule::Registered, unknown.to_string());
            }
        }
        let mut refusals = Vec::new();
        for (name, ..) in routes.explain(step, application).choices {
            let carrier = self.engine.carrier(name);
            match carrier.and_then(|carrier| carrier.carrier.refuses(step, restrictions)) {
                Some(why) => refusals.push(format!("{name}: {why}")),
                None => return,
            }
        }
        problems.add(path, Rule::Carrier, format!("can't be carried: {}", refusals.join("; ")));
    }

    /// Checks that a call goes to where this server may send; an address that can't be read was refused
    /// before.
    fn check_sip(&self, step: &Step, path: &str, problems: &Problems) {
        let Content::Voice(Voice { to: VoiceTarget::Sip(address), .. }) = &step.content else { return };
        let Ok(address) = SipAddress::parse(address) else { return };
        if let Err(error) = check_sip_address(&address, self.allow_private) {
            problems.add(format!("{path}.to.sip"), Rule::Format, error.to_string());
        }
    }
}

fn check_orders(steps: &[DraftStep], problems: &Problems) {
    let mut taken = HashSet::new();
    for DraftStep { path, order, .. } in steps {
        if let Some(order) = order
            && !taken.insert(order)
        {
            let message = format!("must be unique; {order} was given before");
            problems.add(format!("{path}.order"), Rule::Unique, message);
        }
    }
}
