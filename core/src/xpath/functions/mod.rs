mod apply;
mod args;
mod date;
mod digest;
mod geo;
mod number;
mod pattern;
mod select;
mod text;

pub(super) use apply::apply;
pub(super) use args::Args;
pub(super) use date::check_date_format;
pub(super) use digest::Algorithm;
pub(super) use pattern::compile_pattern;

use super::ast::Needs;

macro_rules! functions {
    ($($variant:ident $($name:literal)|+ => $min:literal .. $max:expr;)*) => {
        /// Every function of the dialect; `instance()` and `current()` are starts of paths.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Function {
            $(#[doc = concat!($("`", $name, "` "),+)] $variant,)*
        }

        impl Function {
            /// Every function, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The function called `name` in expressions.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($($name)|+ => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The names it is called by, the usual one first.
            #[must_use]
            pub fn names(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($name),+],)* }
            }

            /// The least and the greatest number of arguments.
            #[must_use]
            pub fn arity(self) -> (usize, usize) {
                match self { $(Self::$variant => ($min, $max),)* }
            }
        }
    };
}

const MANY: usize = usize::MAX;

functions! {
    // Nodesets and instances
    Count "count" => 1..1;
    CountNonEmpty "count-non-empty" => 1..1;
    Sum "sum" => 1..1;
    Min "min" => 1..MANY;
    Max "max" => 1..MANY;
    Position "position" => 0..1;
    IndexedRepeat "indexed-repeat" => 3..11;
    Randomize "randomize" => 1..2;
    Once "once" => 1..1;
    PullData "pulldata" => 4..4;
    Property "property" => 1..1;
    Version "version" => 0..0;
    Depend "depend" => 1..MANY;
    Itext "jr:itext" => 1..1;
    ChoiceName "jr:choice-name" => 2..2;
    // Selects
    Selected "selected" | "is-selected" => 2..2;
    CountSelected "count-selected" => 1..1;
    SelectedAt "selected-at" => 2..2;
    // Logic
    If "if" => 3..3;
    Coalesce "coalesce" => 2..2;
    True "true" => 0..0;
    False "false" => 0..0;
    Not "not" => 1..1;
    Boolean "boolean" => 1..1;
    BooleanFromString "boolean-from-string" => 1..1;
    Regex "regex" => 2..2;
    Checklist "checklist" => 2..MANY;
    WeightedChecklist "weighted-checklist" => 2..MANY;
    // Texts
    Text "string" => 1..1;
    Concat "concat" => 1..MANY;
    Join "join" => 1..MANY;
    Substr "substr" => 2..3;
    SubstringBefore "substring-before" => 2..2;
    SubstringAfter "substring-after" => 2..2;
    Contains "contains" => 2..2;
    StartsWith "starts-with" => 2..2;
    EndsWith "ends-with" => 2..2;
    Translate "translate" => 3..3;
    StringLength "string-length" => 0..1;
    NormalizeSpace "normalize-space" => 0..1;
    Uuid "uuid" => 0..1;
    Digest "digest" => 2..3;
    Base64Decode "base64-decode" => 1..1;
    ExtractSigned "extract-signed" => 2..2;
    // Numbers
    Number "number" => 1..1;
    Int "int" => 1..1;
    Round "round" => 1..2;
    Floor "floor" => 1..1;
    Ceiling "ceiling" => 1..1;
    Abs "abs" => 1..1;
    Pow "pow" => 2..2;
    Exp "exp" => 1..1;
    Exp10 "exp10" => 1..1;
    Log "log" => 1..1;
    Log10 "log10" => 1..1;
    Sqrt "sqrt" => 1..1;
    Sin "sin" => 1..1;
    Cos "cos" => 1..1;
    Tan "tan" => 1..1;
    Asin "asin" => 1..1;
    Acos "acos" => 1..1;
    Atan "atan" => 1..1;
    Atan2 "atan2" => 2..2;
    Pi "pi" => 0..0;
    Random "random" => 0..0;
    // Dates
    Today "today" => 0..0;
    Now "now" => 0..0;
    Date "date" => 1..1;
    DateTime "date-time" => 1..1;
    DecimalDateTime "decimal-date-time" => 1..1;
    DecimalTime "decimal-time" => 1..1;
    FormatDate "format-date" | "format-date-time" => 2..2;
    // Geography
    Area "area" | "enclosed-area" => 1..1;
    Distance "distance" => 1..MANY;
    Geofence "geofence" => 2..2;
    Intersects "intersects" => 1..1;
}

impl Function {
    /// Whether it may be called with `count` arguments.
    #[must_use]
    pub fn accepts(self, count: usize) -> bool {
        let (min, max) = self.arity();
        let fits = (min..=max).contains(&count);
        match self {
            Self::IndexedRepeat => fits && count % 2 == 1,
            Self::WeightedChecklist => fits && count.is_multiple_of(2),
            _ => fits,
        }
    }

    /// Whether the argument at `index` must be a nodeset.
    #[must_use]
    pub fn takes_nodeset(self, index: usize) -> bool {
        match self {
            Self::Count | Self::CountNonEmpty | Self::Sum | Self::Position | Self::Randomize => index == 0,
            Self::IndexedRepeat => index < 2 || index % 2 == 1,
            _ => false,
        }
    }

    /// Whether it may give another value although its arguments have not changed: time, chance, the target's own value.
    #[must_use]
    pub fn is_volatile(self) -> bool {
        matches!(self, Self::Now | Self::Today | Self::Random | Self::Uuid | Self::Once)
    }

    /// Whether it says something in the language shown, and so another thing in another.
    #[must_use]
    pub fn follows_language(self) -> bool {
        matches!(self, Self::Itext | Self::ChoiceName | Self::FormatDate)
    }

    /// Whether its value follows from its arguments alone.
    #[must_use]
    pub fn is_pure(self) -> bool {
        !self.is_volatile()
            && !matches!(
                self,
                Self::Position
                    | Self::IndexedRepeat
                    | Self::Randomize
                    | Self::PullData
                    | Self::Property
                    | Self::Version
                    | Self::Itext
                    | Self::ChoiceName
                    | Self::StringLength
                    | Self::NormalizeSpace
                    | Self::FormatDate
            )
    }

    /// What a call with `count` arguments takes from the candidate of a predicate, its arguments aside.
    pub(super) fn needs(self, count: usize) -> Needs {
        let reads_context = match self {
            Self::StringLength | Self::NormalizeSpace => count == 0,
            Self::Once | Self::ChoiceName | Self::Random | Self::Uuid | Self::Randomize => true,
            _ => false,
        };
        Needs { candidate: reads_context, ancestors: false, position: self == Self::Position && count == 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_function() {
        for &function in Function::ALL {
            for name in function.names() {
                assert_eq!(Function::named(name), Some(function), "{name}");
            }
        }
    }

    #[test]
    fn what_javarosa_lacks_is_unknown() {
        for name in
            ["lower-case", "upper-case", "trim", "string-join", "last", "name", "local-name", "id", "lang", "If"]
        {
            assert_eq!(Function::named(name), None, "{name}");
        }
    }
}
