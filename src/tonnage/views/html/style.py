"""How pages look, by light and by dark, on wide screens and narrow ones."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#57606a;--edge:#d0d7de;--wash:#f6f8fa;--link:#0757b5;
--free:#2463b0;--free-wash:#c9def5;--reserve:#b42318;--forecast:#8c959f;--measured:#2463b0;--temporary:#a9c8ea;
--bad:#b42318;--base:#d5dde6;--python:#c5e4cf;--system:#f3ddb0;--files:#e2d3f2;--other:#d9dbde;--waste:#b42318}
@media(prefers-color-scheme:dark){:root{--paper:#0f1318;--ink:#e6edf3;--soft:#9da7b3;--edge:#38414b;--wash:#181e25;
--link:#79b8ff;--free:#6cb0ff;--free-wash:#1c3a5c;--reserve:#ff8b7d;--forecast:#7d8792;--measured:#6cb0ff;
--temporary:#2c5280;--bad:#ff8b7d;--base:#334252;--python:#1f5136;--system:#5a4515;--files:#4a3763;--other:#3d4349;
--waste:#ff8b7d}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:68rem;padding:1rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.2rem;margin:2.2rem 0 .6rem;padding-top:.6rem;
border-top:1px solid var(--edge)}h3{font-size:1rem;margin:1.4rem 0 .4rem}
p{margin:.4rem 0}header p,footer,.note,figcaption,dt,caption{color:var(--soft)}footer{margin-top:2rem;font-size:.85rem}
a{color:var(--link)}:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;background:var(--paper)}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;padding:0;margin:.6rem 0;list-style:none}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.6rem;margin:.6rem 0}
.tiles div{background:var(--wash);border:1px solid var(--edge);border-radius:6px;padding:.5rem .7rem}
dt{font-size:.82rem}dd{margin:0;font-size:1.1rem;font-weight:600}
figure{margin:.8rem 0}figcaption,.note{font-size:.88rem}
svg{display:block;width:100%}svg text{fill:var(--ink);font:12px system-ui,sans-serif}svg .soft{fill:var(--soft)}
.frame{fill:var(--wash);stroke:var(--edge)}.band{fill:var(--edge);fill-opacity:.35}.glass{fill-opacity:0}.area{fill:var(--free-wash)}
.curve{fill:none;stroke:var(--free);stroke-width:2;vector-effect:non-scaling-stroke}
.reserve{stroke:var(--reserve);stroke-width:2;stroke-dasharray:6 4}svg .reserve-text{fill:var(--reserve)}
.low{fill:var(--free)}.forecast{fill:var(--forecast)}.measured{fill:var(--measured)}.temporary{fill:var(--temporary)}
.bad,svg .bad-text{fill:var(--bad)}.bad-text{color:var(--bad)}.zero{stroke:var(--edge)}
.cell rect{stroke:var(--paper)}.base{fill:var(--base)}.python{fill:var(--python)}.system{fill:var(--system)}
.files{fill:var(--files)}.other{fill:var(--other)}.stripes{stroke:var(--waste);stroke-width:3}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;padding:0;margin:.4rem 0;list-style:none;font-size:.88rem}
.legend svg{display:inline-block;width:14px;height:14px;vertical-align:-2px;margin-right:.35rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}caption{text-align:left;padding:.3rem 0}
caption span{display:inline-block;position:sticky;left:0;max-width:calc(100vw - 2rem)}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--edge)}
th{font-weight:600}td,thead th{overflow-wrap:normal}tbody th{font-weight:400;min-width:7rem}
.figure{text-align:right;white-space:nowrap;overflow-wrap:normal;font-variant-numeric:tabular-nums}
.scrolls{overflow-x:auto;margin:.5rem 0}summary{cursor:pointer;color:var(--link)}details{margin:.4rem 0}
.bars{list-style:none;margin:0;padding:0}.bars li{padding:.45rem 0;border-bottom:1px solid var(--edge)}
.bars .line{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 1rem}
.bars .line span{font-size:.9rem;color:var(--soft)}
pre{white-space:pre-wrap;background:var(--wash);padding:.6rem;margin:.4rem 0}
.history{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:.8rem}
@media(max-width:30rem){body{padding:.7rem;font-size:15px}.tiles{grid-template-columns:1fr 1fr}}
@media print{nav,.skip{display:none}}
"""
