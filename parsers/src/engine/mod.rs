//! The engines that formats are built from: templates of fields between fixed bytes, JSON keys, W3C field lists.

pub(crate) mod envoy_flags;
pub(crate) mod errno;
pub mod faults;
pub mod fetch_error;
pub mod id;
pub mod json;
pub mod json_fields;
pub mod json_format;
mod json_keys;
pub mod json_record;
pub mod paste_apache;
pub mod paste_envoy;
pub mod paste_gunicorn;
pub mod paste_haproxy;
pub mod paste_nginx;
pub mod paste_squid;
pub mod paste_tomcat;
pub mod paste_varnish;
pub mod proxy_status;
pub(crate) mod quoted;
pub mod slot;
pub mod squid_codes;
pub mod template;
mod template_build;
pub(crate) mod template_format;
pub mod time_layout;
pub mod w3c;
