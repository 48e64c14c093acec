//! Topics of SNS and event buses of EventBridge.

use crate::world::World;
use crate::world::message::Message;

impl World {
    /// Creates a topic; gives its ARN.
    pub fn add_topic(&mut self, name: &str) -> String {
        let arn = format!("arn:aws:sns:{}:{}:{name}", self.region, self.account);
        self.services.topics.insert(arn.clone());
        arn
    }

    /// Creates an event bus.
    pub fn add_event_bus(&mut self, name: &str) {
        self.services.event_buses.insert(name.to_owned());
    }

    /// What was published to topics and put on event buses, in its order.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.services.messages
    }

    pub(crate) fn has_topic(&self, arn: &str) -> bool {
        self.services.topics.contains(arn)
    }

    /// Whether there is an event bus of this name; the default one is always there.
    pub(crate) fn has_event_bus(&self, name: &str) -> bool {
        name == "default" || self.services.event_buses.contains(name)
    }

    pub(crate) fn keep_message(&mut self, message: Message) {
        self.services.messages.push(message);
    }
}
