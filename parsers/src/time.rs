//! Timestamps from fixed-width bytes. The day is cached, since neighbouring lines share it.
