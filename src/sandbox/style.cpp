// SPDX-License-Identifier: Apache-2.0
// The look of the practice pages: a blueprint, in light and in dark.
#include "sandbox/pages.h"

namespace brickgate::sandbox {

std::string_view style_sheet() {
    return R"(:root {
  color-scheme: light dark;
  --ground: #e6eff8; --grid: #d3e2f0; --card: #fbfdff; --ink: #10253a; --soft: #4e6780; --line: #a9c3da;
  --accent: #14598f; --accent-ink: #fff; --tint: #eaf3fb; --warn: #7a4b00; --warn-tint: #fff3d6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0b1c2d; --grid: #12283d; --card: #10263a; --ink: #e4f0fb; --soft: #9ab6cf; --line: #33536f;
    --accent: #7cc4ff; --accent-ink: #06192a; --tint: #16324b; --warn: #ffd98a; --warn-tint: #3a2c0c;
  }
}
* { box-sizing: border-box; }
html { font: 17px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
body {
  margin: 0; min-height: 100vh; color: var(--ink); display: flex; flex-direction: column; align-items: center;
  background: var(--ground);
  background-image: linear-gradient(var(--grid) 1px, transparent 1px), linear-gradient(90deg, var(--grid) 1px, transparent 1px);
  background-size: 24px 24px;
}
header {
  width: 100%; padding: 9px 16px; text-align: center; font-size: .85rem; color: #2b2200; background: #ffd34d;
  border-bottom: 6px solid; border-image: repeating-linear-gradient(-45deg, #2b2200 0 10px, #ffd34d 10px 20px) 6;
}
main {
  width: calc(100% - 32px); max-width: 29rem; margin: 7vh 16px 40px; padding: 30px 28px 26px;
  background: var(--card); border: 2px dashed var(--line); border-radius: 6px;
}
h1 { margin: 0 0 10px; font-size: 1.55rem; line-height: 1.2; overflow-wrap: anywhere; }
p { margin: 0 0 18px; } a { color: var(--accent); }
code { font: .85em ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
button, input { font: inherit; color: inherit; border-radius: 6px; border: 1px solid var(--line); }
button { cursor: pointer; min-height: 48px; padding: 10px 18px; background: var(--tint); }
button:hover { border-color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.person {
  display: flex; align-items: center; gap: 14px; width: 100%; min-height: 64px; margin: 0 0 10px; padding: 10px 14px;
  text-align: left; background: var(--tint); border: 1px solid var(--line); border-radius: 6px;
}
.person > span { min-width: 0; overflow-wrap: anywhere; }
.person small { display: block; color: var(--soft); font-size: .82rem; }
.who { margin: 4px 0 18px; flex-wrap: wrap; }
.who > span:nth-child(2) { flex: 1 1 9rem; }
.who a { margin-left: auto; flex: none; font-size: .85rem; padding: 10px 0; }
.face {
  flex: none; width: 42px; height: 42px; border-radius: 50%; display: grid; place-items: center;
  color: var(--accent-ink); background: var(--accent); font-weight: 600; letter-spacing: .02em;
}
.other { margin-top: 20px; padding-top: 18px; border-top: 1px dashed var(--line); }
label { display: block; margin-bottom: 8px; color: var(--soft); font-size: .88rem; }
.row { display: flex; gap: 10px; flex-wrap: wrap; }
input::placeholder { color: var(--soft); opacity: 1; }
input[type=email] { flex: 1 1 12rem; min-width: 0; min-height: 48px; padding: 10px 14px; background: var(--card); }
.row button { flex: 1 1 8rem; font-weight: 600; }
.other .row button { flex: 0 1 auto; }
.go { color: var(--accent-ink); background: var(--accent); border-color: var(--accent); }
.go:hover { filter: brightness(1.1); }
.deny { background: transparent; }
ul { list-style: none; margin: 0 0 20px; padding: 0; }
li { position: relative; padding: 7px 0 7px 28px; border-bottom: 1px dashed var(--line); }
li:last-child { border: 0; }
li::before { content: "\2713"; position: absolute; left: 4px; color: var(--accent); font-weight: 700; }
li code { display: block; color: var(--soft); }
.links li { padding-left: 0; } .links li::before { content: none; }
.warn { padding: 11px 14px; border-radius: 6px; font-size: .9rem; color: var(--warn); background: var(--warn-tint); }
.soft { margin: 16px 0 0; color: var(--soft); font-size: .85rem; text-align: center; }
@media (max-width: 30rem) { main { margin-top: 20px; padding: 24px 20px 20px; } }
)";
}

}  // namespace brickgate::sandbox
