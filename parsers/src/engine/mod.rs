//! The engines that formats are built from: templates of fields between fixed bytes, JSON keys, W3C field lists.

pub mod define;
mod define_check;
mod define_template;
pub mod faults;
pub mod id;
pub mod json;
mod json_keys;
pub mod paste;
pub mod paste_apache;
pub mod paste_haproxy;
pub mod paste_nginx;
pub mod paste_unknown;
pub mod slot;
pub mod template;
mod template_build;
mod template_format;
pub mod time_layout;
pub mod w3c;
