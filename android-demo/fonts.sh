#!/usr/bin/env bash
# Makes the bundled fonts from Debian's fonts-noto-core: Latin, Arabic and Ethiopic letters, Regular and Bold, without hinting, so that
# every phone and every picture in the tests has the same. Needs fonts-noto-core and python3-fonttools.
set -euo pipefail
cd "$(dirname "$0")"
noto=/usr/share/fonts/truetype/noto
out=app/src/shared/resources/fonts
mkdir -p "$out"
common=U+0020-007E,U+00A0-017F,U+0218-021B,U+02BC,U+1E00-1EFF,U+2000-206F,U+20AC,U+2190-2193,U+2212,U+2713
arabic=U+0600-06FF,U+0750-077F,U+08A0-08FF,U+FB50-FDFF,U+FE70-FEFF,U+2066-2069,U+200C-200F,U+0020
ethiopic=U+1200-137F,U+2066-2069,U+0020
subset() {
    /usr/bin/python3 -m fontTools.subset "$noto/$1.ttf" --unicodes="$2" --no-hinting --desubroutinize --layout-features='*' \
        --output-file="$out/$1.ttf"
}
for weight in Regular Bold; do
    subset "NotoSans-$weight" "$common"
    subset "NotoSansArabic-$weight" "$arabic"
    subset "NotoSansEthiopic-$weight" "$ethiopic"
done
