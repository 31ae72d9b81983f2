// The page's style sheet; served at /style.css, so that the content security policy needs no exception.

export const styleSheet = `
:root {
  color-scheme: light dark;
  --page: light-dark(#f6f7f5, #131613);
  --card: light-dark(#ffffff, #1b1f1b);
  --line: light-dark(#dde2da, #2e352e);
  --text: light-dark(#1c231d, #e6ebe4);
  --soft: light-dark(#59635a, #9ba79b);
  --leaf: light-dark(#2f6b3a, #8cc795);
  --leaf-ink: light-dark(#ffffff, #10210f);
  --leaf-tint: light-dark(#e7f1e6, #21301f);
  --good: light-dark(#1f7a3d, #7fce95);
  --wait: light-dark(#8a5a00, #e3b65c);
  --bad: light-dark(#a8271f, #f0938b);
  --idle: light-dark(#59635a, #9ba79b);
  --radius: 10px;
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100vh; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
a { color: var(--leaf); text-underline-offset: 2px; }
a:hover { text-decoration-thickness: 2px; }
:focus-visible { outline: 3px solid var(--leaf); outline-offset: 2px; border-radius: 4px; }
.skip { position: absolute; left: -100vw; top: 0; background: var(--card); padding: .5rem 1rem; z-index: 2; }
.skip:focus { left: 0; }
header.top { background: var(--card); border-bottom: 1px solid var(--line); }
header.top > div, main, footer { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; }
header.top > div { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1.5rem; min-height: 3.5rem; }
.brand { font-weight: 650; color: var(--text); text-decoration: none; display: flex; align-items: center; gap: .5rem; }
.brand svg { color: var(--leaf); }
nav.main ul { display: flex; flex-wrap: wrap; gap: .25rem; list-style: none; margin: 0; padding: 0; }
nav.main a { display: block; padding: .4rem .7rem; border-radius: 8px; color: var(--soft); text-decoration: none; }
nav.main a:hover { background: var(--leaf-tint); color: var(--text); }
nav.main a[aria-current] { background: var(--leaf-tint); color: var(--leaf); font-weight: 600; }
header.top form { margin-left: auto; }
main { padding-top: 1.75rem; padding-bottom: 3rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 0; }
.lead { color: var(--soft); margin: 0 0 1.25rem; overflow-wrap: anywhere; }
.crumb { margin: 0 0 .5rem; font-size: .9rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: var(--radius); margin: 0 0 1.25rem; }
.card > .head { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem .75rem; padding: .85rem 1.1rem; border-bottom: 1px solid var(--line); }
.card > .head .note { margin-left: auto; }
.card > .pad { padding: 1.1rem; }
.note { margin: .75rem 0 0; } .head .note { margin-top: 0; margin-bottom: 0; }
.note, .soft { color: var(--soft); font-size: .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .55rem 1.1rem; vertical-align: top; border-bottom: 1px solid var(--line); }
tbody tr:last-child > * { border-bottom: 0; }
thead th { font-size: .8rem; font-weight: 600; color: var(--soft); white-space: nowrap; }
tbody th { font-weight: 600; }
tbody tr:hover { background: color-mix(in srgb, var(--leaf-tint) 45%, transparent); }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
time, .mono { font-variant-numeric: tabular-nums; white-space: nowrap; }
.mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .86em; }
pre { margin: 0; }
pre.wrap { white-space: pre-wrap; }
.wrap:not(pre) { white-space: normal; }
.wrap { overflow-wrap: anywhere; }
.empty { padding: 2rem 1.1rem; color: var(--soft); text-align: center; margin: 0; }
.state { display: inline-flex; align-items: center; gap: .4em; white-space: nowrap; }
.state::before { content: ""; width: .6em; height: .6em; border-radius: 50%; background: currentColor; flex: none; }
.state.good { color: var(--good); } .state.wait { color: var(--wait); }
.state.bad { color: var(--bad); } .state.idle { color: var(--idle); }
.state.wait::before { background: none; border: 2px solid currentColor; }
.state.bad::before { border-radius: 1px; }
pre + .tags { margin-top: .85rem; }
.tags { display: flex; flex-wrap: wrap; gap: .35rem; list-style: none; margin: 0; padding: 0; }
.tag { display: inline-block; padding: .1rem .6rem; border-radius: 999px; background: var(--leaf-tint); color: var(--leaf); text-decoration: none; font-size: .9rem; }
.fields { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(15rem, 100%), 1fr)); gap: .85rem 1.5rem; margin: 0; }
.fields dt { color: var(--soft); font-size: .8rem; }
.fields dd { margin: 0; overflow-wrap: anywhere; }
details.group { border-top: 1px solid var(--line); }
details.group:first-of-type { border-top: 0; }
details.group > summary { cursor: pointer; padding: .7rem 1.1rem; font-weight: 600; }
details.group > .pad { padding: .25rem 1.1rem 1.1rem; }
form.search { display: flex; flex-wrap: wrap; gap: .6rem; align-items: end; margin: 0; }
form.search .grow { flex: 1 1 20rem; }
label, legend { display: block; font-size: .85rem; font-weight: 600; margin: 0 0 .25rem; padding: 0; }
fieldset { border: 0; margin: 0; padding: 0; }
.choice { display: flex; gap: 1rem; min-height: 2.5rem; align-items: center; }
.choice label { font-weight: 400; margin: 0; display: flex; gap: .4rem; align-items: center; font-size: .95rem; }
input[type=text], input[type=search], input[type=password] {
  width: 100%; font: inherit; color: inherit; background: var(--page); border: 1px solid var(--line);
  border-radius: 8px; padding: .5rem .75rem; min-height: 2.5rem;
}
input[type=radio] { accent-color: var(--leaf); width: 1.05rem; height: 1.05rem; margin: 0; }
button, .button {
  font: inherit; font-weight: 600; cursor: pointer; min-height: 2.5rem; padding: .45rem 1.1rem; border-radius: 8px;
  border: 1px solid transparent; background: var(--leaf); color: var(--leaf-ink); text-decoration: none; display: inline-block;
}
button:hover, .button:hover { filter: brightness(1.08); }
button.plain, .button.plain { background: transparent; color: var(--soft); border-color: var(--line); font-weight: 500; }
.problem { border: 1px solid var(--bad); border-left-width: 5px; border-radius: var(--radius); background: var(--card); padding: .9rem 1.1rem; margin: 0 0 1.25rem; }
.problem p { margin: 0 0 .35rem; } .problem p:last-child { margin: 0; }
.problem pre { margin: .5rem 0; overflow-x: auto; font: .9rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.problem mark { background: none; color: var(--bad); font-weight: 700; text-decoration: underline wavy; text-underline-offset: 3px; }
.pager { display: flex; gap: .75rem; justify-content: flex-end; padding: .85rem 1.1rem; border-top: 1px solid var(--line); }
.narrow { max-width: 26rem; margin: 8vh auto 0; }
.narrow .card { padding: 1.5rem; }
.narrow form { display: grid; gap: 1rem; }
.pin input { font-size: 1.5rem; letter-spacing: .2em; text-align: center; font-variant-numeric: tabular-nums; }
footer { color: var(--soft); font-size: .85rem; padding-bottom: 2rem; }
@media (max-width: 40rem) {
  header.top > div { padding-top: .6rem; padding-bottom: .6rem; }
  header.top form { order: 2; }
  nav.main { order: 3; width: 100%; }
  nav.main ul { gap: 0; margin: 0 -.5rem; }
  nav.main a { padding: .35rem .5rem; }
  .rows thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  .rows tr { display: block; padding: .6rem 1.1rem; border-bottom: 1px solid var(--line); }
  .rows tbody tr:last-child { border-bottom: 0; }
  .rows th, .rows td { display: flex; gap: 1rem; justify-content: space-between; padding: .15rem 0; border: 0; text-align: right; overflow-wrap: anywhere; }
  .rows th { text-align: left; font-size: 1.02rem; }
  .rows td::before { content: attr(data-label); color: var(--soft); font-size: .85rem; text-align: left; flex: none; }
  .rows td time, .rows td .mono { white-space: normal; }
}
@media (prefers-reduced-motion: no-preference) { button, nav.main a { transition: background-color .15s, filter .15s; } }
`;
