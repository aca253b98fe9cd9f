#!/bin/sh
# Draws the README's pictures of `veldwerk fill` and `veldwerk demo`: a real terminal under a virtual screen, in both kinds of right-to-left.
#
# Needs, from Debian: xvfb xdotool imagemagick xfce4-terminal xterm dbus-x11 fonts-noto-core fonts-dejavu-core fonts-noto-mono
# Usage: docs/pictures/terminal.sh PATH-OF-VELDWERK
set -eu
veldwerk=$(realpath "$1")
pictures=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
started=
trap 'kill $started 2>/dev/null || true; rm -rf "$work"' EXIT

display=:97
Xvfb "$display" -screen 0 1400x1000x24 >/dev/null 2>&1 &
started="$started $!"
export DISPLAY=$display XDG_CONFIG_HOME="$work/config" NO_AT_BRIDGE=1 LC_ALL=C.UTF-8
sleep 2

# A phone's home with the forms of the try-out server.
"$veldwerk" serve --data "$work/server" --listen 127.0.0.1:0 --json >"$work/serve.json" 2>/dev/null &
started="$started $!"
until [ -s "$work/serve.json" ]; do sleep 1; done
sed 's/.*"settings_code":"\([^"]*\)".*/\1/' "$work/serve.json" | "$veldwerk" --home "$work/home" --quiet project add - >/dev/null
"$veldwerk" --home "$work/home" --quiet refresh >/dev/null

mkdir -p "$XDG_CONFIG_HOME/xfce4/terminal"
cat >"$XDG_CONFIG_HOME/xfce4/terminal/terminalrc" <<'RC'
[Configuration]
FontName=DejaVu Sans Mono 15
FontUseSystem=FALSE
ColorBackground=#faf6ef
ColorForeground=#24211b
ColorCursor=#17594a
ColorBoldUseDefault=TRUE
MiscCursorShape=TERMINAL_CURSOR_SHAPE_IBEAM
MiscCursorBlinks=FALSE
MiscMenubarDefault=FALSE
MiscBordersDefault=FALSE
ScrollingBar=TERMINAL_SCROLLBAR_NONE
RC

# picture NAME TERMINAL LANGUAGE KEYS…: fills in TERMINAL, types each of KEYS and Enter, and keeps what the window shows.
picture() {
    name=$1 terminal=$2 language=$3
    shift 3
    fill="$veldwerk --home $work/home fill pi_newcomers --language $language"
    case $terminal in
    xfce4-terminal) dbus-run-session -- xfce4-terminal --disable-server --geometry=70x18 --title=veldwerk -x $fill & ;;
    xterm) xterm -geometry 70x18 -title veldwerk -fa 'DejaVu Sans Mono' -fs 15 -bg '#faf6ef' -fg '#24211b' -cr '#17594a' -b 0 -bw 0 -e $fill & ;;
    esac 2>/dev/null
    window=$(xdotool search --sync --onlyvisible --name '^veldwerk$' | tail -1)
    sleep 3
    xdotool windowfocus "$window" 2>/dev/null || true
    for key in "$@"; do
        [ -z "$key" ] || xdotool type --delay 60 -- "$key"
        xdotool key Return
        sleep 1
    done
    sleep 1
    import -window "$window" "$work/$name.png"
    convert "$work/$name.png" -trim +repage -bordercolor '#faf6ef' -border 20 -strip "$pictures/$name.png"
    xdotool type --delay 60 -- q
    xdotool key Return
    sleep 2
}

picture fill-ar xfce4-terminal ar '' '' 1 b '?'
picture fill-ar-visual xterm ar '' '' 1 b '?'
picture fill-nl xfce4-terminal nl '' '' 1 1

# The demo from beginning to end, in a window that holds all of it.
xterm -geometry 122x56 -title veldwerk-demo -fa 'DejaVu Sans Mono' -fs 9 -bg '#faf6ef' -fg '#24211b' -b 12 -bw 0 \
    -e sh -c "$veldwerk demo --auto; sleep 30" &
window=$(xdotool search --sync --onlyvisible --name '^veldwerk-demo$' | tail -1)
sleep 15
import -window "$window" "$work/demo.png"
convert "$work/demo.png" -strip "$pictures/demo.png"
