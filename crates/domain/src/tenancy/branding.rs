//! What a tenant may show on its pages: a colour, a logo and a text (Graph: organizationalBranding).
//!
//! A picture is what its bytes say, whatever it is called. SVG is none of them: it is a document that can hold script.

use crate::tenancy::tenant::{Logo, LogoType, TenantSettings};

/// Heaviest logo.
// DEFAULT: 50 KB; Graph recommends 10, and every sign-in page carries it.
pub const LOGO_BYTES: usize = 50 * 1024;
/// Width and height of a logo at most, in pixels (Graph: organizationalBranding.bannerLogo).
pub const LOGO_PIXELS: (u32, u32) = (245, 36);
/// Characters of the text at most (Graph: organizationalBranding.signInPageText).
const TEXT: usize = 1024;

/// One thing to be set, or taken away with `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    AccentColor(Option<String>),
    Logo(Option<Vec<u8>>),
    SignInText(Option<String>),
}

/// Why branding is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    ColorInvalid,
    LogoTooHeavy,
    LogoTooLarge,
    LogoTypeUnknown,
    TextInvalid,
}

impl Refusal {
    /// Stable name for records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ColorInvalid => "colorInvalid",
            Self::LogoTooHeavy => "logoTooHeavy",
            Self::LogoTooLarge => "logoTooLarge",
            Self::LogoTypeUnknown => "logoTypeUnknown",
            Self::TextInvalid => "textInvalid",
        }
    }

    /// What is accepted instead, for a person.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ColorInvalid => "A colour is # and six hexadecimal digits, such as #0f5c8a.",
            Self::LogoTooHeavy => "A logo has at most 50 KB; 10 KB are enough for most.",
            Self::LogoTooLarge => "A logo is at most 245 pixels wide and 36 pixels high.",
            Self::LogoTypeUnknown => "A logo is a PNG or JPEG picture; SVG and other types are not accepted.",
            Self::TextInvalid => "The text has at most 1024 characters, none of them a control character.",
        }
    }
}

/// Makes the changes, or none of them.
pub fn apply(settings: &mut TenantSettings, changes: &[Change]) -> Result<(), Refusal> {
    let mut after = settings.clone();
    for change in changes {
        match change {
            Change::AccentColor(color) => {
                if color.as_deref().is_some_and(|color| Color::parse(color).is_none()) {
                    return Err(Refusal::ColorInvalid);
                }
                after.accent_color.clone_from(color);
            }
            Change::Logo(bytes) => after.logo = bytes.as_deref().map(logo).transpose()?,
            Change::SignInText(text) => {
                let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
                let is_bad = |text: &str| text.chars().count() > TEXT || text.chars().any(is_control);
                if text.as_deref().is_some_and(is_bad) {
                    return Err(Refusal::TextInvalid);
                }
                after.sign_in_text.clone_from(text);
            }
        }
    }
    *settings = after;
    Ok(())
}

fn logo(bytes: &[u8]) -> Result<Logo, Refusal> {
    if bytes.len() > LOGO_BYTES {
        return Err(Refusal::LogoTooHeavy);
    }
    let found = png_size(bytes).map(|size| (LogoType::Png, size));
    let found = found.or_else(|| jpeg_size(bytes).map(|size| (LogoType::Jpeg, size)));
    let (kind, (width, height)) = found.ok_or(Refusal::LogoTypeUnknown)?;
    if width == 0 || width > LOGO_PIXELS.0 || height == 0 || height > LOGO_PIXELS.1 {
        return Err(Refusal::LogoTooLarge);
    }
    Ok(Logo { kind, bytes: bytes.to_vec() })
}

/// Width and height in the header, which comes first (PNG §5.2, §11.2.1).
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let rest = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")?;
    let (width, rest) = rest.split_first_chunk()?;
    let (height, _) = rest.split_first_chunk()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*height)))
}

/// Width and height in the frame header: the first segment of the kinds C0 to CF that is no table (ITU T.81 §B.2.2).
fn jpeg_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.strip_prefix(b"\xff\xd8")?;
    loop {
        let ([0xff, kind, high, low], after) = rest.split_first_chunk()? else { return None };
        match kind {
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let ([_precision, high, low, wide, narrow], _) = after.split_first_chunk()?;
                let number = |high: &u8, low: &u8| u32::from(u16::from_be_bytes([*high, *low]));
                return Some((number(wide, narrow), number(high, low)));
            }
            // The picture begins or ends without a frame, or a marker without a length that does not belong here.
            0x00 | 0x01 | 0xd0..=0xda | 0xff => return None,
            _ => rest = after.get(usize::from(u16::from_be_bytes([*high, *low])).checked_sub(2)?..)?,
        }
    }
}

/// An sRGB colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color([u8; 3]);

impl Color {
    /// `#rrggbb` and nothing else: the text ends up in a style sheet.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digits = |digits: &&str| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let digits = text.strip_prefix('#').filter(is_digits)?;
        let [_, r, g, b] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Self([r, g, b]))
    }

    pub fn text(self) -> String {
        let [r, g, b] = self.0;
        format!("#{r:02x}{g:02x}{b:02x}")
    }

    /// Black or white, whichever has more contrast (WCAG 2.2 relative luminance).
    pub fn ink(self) -> &'static str {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let [r, g, b] = self.0;
        let luminance = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
        if luminance > 0.179 { "#000000" } else { "#ffffff" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(width.to_be_bytes().into_iter().chain(height.to_be_bytes()));
        bytes.extend([8, 6, 0, 0, 0]);
        bytes
    }

    /// With a segment of the application's before the frame, as cameras and editors write it.
    fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let mut bytes = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xc2\0\x11\x08".to_vec();
        bytes.extend(height.to_be_bytes().into_iter().chain(width.to_be_bytes()));
        bytes
    }

    #[test]
    fn a_logo_is_a_small_png_or_jpeg_by_its_bytes() {
        let heavy = |size: usize| {
            let mut bytes = png(245, 36);
            bytes.resize(size, 0);
            bytes
        };
        for (bytes, expected) in [
            (png(245, 36), Ok(LogoType::Png)),
            (jpeg(245, 36), Ok(LogoType::Jpeg)),
            (heavy(LOGO_BYTES), Ok(LogoType::Png)),
            (heavy(LOGO_BYTES + 1), Err(Refusal::LogoTooHeavy)),
            (png(246, 36), Err(Refusal::LogoTooLarge)),
            (png(245, 37), Err(Refusal::LogoTooLarge)),
            (png(0, 36), Err(Refusal::LogoTooLarge)),
            (jpeg(36, 245), Err(Refusal::LogoTooLarge)),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec(), Err(Refusal::LogoTypeUnknown)),
            (b"<script>alert(1)</script>".to_vec(), Err(Refusal::LogoTypeUnknown)),
            (b"GIF89a\x10\0\x10\0".to_vec(), Err(Refusal::LogoTypeUnknown)),
            (Vec::new(), Err(Refusal::LogoTypeUnknown)),
        ] {
            assert_eq!(logo(&bytes).map(|logo| logo.kind), expected, "{:?}", bytes.get(..16));
        }
    }

    #[test]
    fn a_picture_cut_off_anywhere_is_refused_not_misread() {
        for whole in [png(245, 36).get(..24).unwrap().to_vec(), jpeg(245, 36)] {
            for end in 0..whole.len() {
                assert_eq!(logo(&whole[..end]), Err(Refusal::LogoTypeUnknown), "{end}");
            }
        }
        // Segments that lead nowhere: no length, a length too short, a scan before its frame.
        for bytes in
            [b"\xff\xd8\xff\xe0\0\x00".as_slice(), b"\xff\xd8\xff\xe0\0\x01", b"\xff\xd8\xff\xda\0\x04\0\0"]
        {
            assert_eq!(logo(bytes), Err(Refusal::LogoTypeUnknown));
        }
    }

    #[test]
    fn of_several_changes_all_are_made_or_none() {
        let mut settings = TenantSettings::for_region("WW");
        let color = Change::AccentColor(Some("#0A5c8f".to_owned()));
        let text = |text: &str| Change::SignInText(Some(text.to_owned()));
        assert_eq!(apply(&mut settings, &[color.clone(), text("\u{7}")]), Err(Refusal::TextInvalid));
        assert_eq!(apply(&mut settings, &[text(&"ä".repeat(1025))]), Err(Refusal::TextInvalid));
        assert_eq!(settings, TenantSettings::for_region("WW"));
        apply(&mut settings, &[color, text("Ask 555\n0100"), Change::Logo(Some(png(1, 1)))]).unwrap();
        assert_eq!(settings.accent_color.as_deref(), Some("#0A5c8f"));
        assert_eq!(settings.sign_in_text.as_deref(), Some("Ask 555\n0100"));
        let nothing = [Change::AccentColor(None), Change::Logo(None), Change::SignInText(None)];
        apply(&mut settings, &nothing).unwrap();
        assert_eq!(settings, TenantSettings::for_region("WW"));
    }

    #[test]
    fn only_a_plain_colour_reaches_the_style_sheet() {
        for bad in ["red", "#fff", "#12345g", "#123456;}", "", "123456", "#+12345"] {
            assert!(Color::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(Color::parse("#0A5C8F").unwrap().text(), "#0a5c8f");
        assert_eq!(Color::parse("#ffff00").unwrap().ink(), "#000000");
        assert_eq!(Color::parse("#1b1b6f").unwrap().ink(), "#ffffff");
    }
}
