//! What pages load from us: one style, one script, each under a name made from its content.

use std::sync::LazyLock;

/// The style of every page. Made by `style/build`.
pub const STYLE: &str = include_str!("../style/viewer.css");
/// The script of every page. Without it everything can be read, and nothing comes by itself.
pub const SCRIPT: &str = include_str!("../script/viewer.js");

/// What the browser may do with a page but for who may frame it: load our own style and script, ask us, send forms to
/// us, and nothing else.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
form-action 'self'; base-uri 'none'";
/// What no page needs of a device.
pub const PERMISSIONS: &str = "accelerometer=(), autoplay=(), camera=(), clipboard-read=(), display-capture=(), \
encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), local-fonts=(), \
magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), \
usb=(), web-share=(), xr-spatial-tracking=()";

/// The address of the style.
pub(crate) fn style_address() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| format!("/viewer/{:016x}.css", mark(STYLE)));
    &NAME
}

/// The address of the script.
pub(crate) fn script_address() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| format!("/viewer/{:016x}.js", mark(SCRIPT)));
    &NAME
}

/// What is found below `/viewer/` under a name: its media type and content. It never changes under one name, so it may
/// be kept for as long as anybody likes.
pub fn asset(name: &str) -> Option<(&'static str, &'static str)> {
    let is = |address: &str| address.strip_prefix("/viewer/") == Some(name);
    if is(style_address()) {
        Some(("text/css; charset=utf-8", STYLE))
    } else if is(script_address()) {
        Some(("text/javascript; charset=utf-8", SCRIPT))
    } else {
        None
    }
}

/// FNV-1a: tells one release from the next, and keeps nothing safe.
fn mark(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |mark, byte| {
        (mark ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
