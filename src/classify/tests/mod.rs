//! The rules, each tested three ways: it fires; its nearest rival fires instead; a field that it
//! needs is missing.

mod doubt;
mod dropped_connection;
mod fixes;
mod golden;
mod incidents;
mod keep_alive_race;
mod other_causes;
mod proxy_timeout;
mod queueing_delay;
mod surroundings;
mod testing;
mod whole;
