//! TOML into [`super::Config`].
