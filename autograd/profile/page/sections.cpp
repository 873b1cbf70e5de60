#include "autograd/profile/page/parts.h"

const std::string_view cotan::page_parts::sections = R"html(<main>
<h1 id="name"></h1>
<div class="machine" id="machine"></div>
<div class="tiles" id="tiles"></div>
<div class="columns">
<section><h2>Side by side</h2><p class="hint">Medians over the repetitions; fused and unfused took turns.</p><table id="summary"></table></section>
<section><h2>Against the machine</h2><p class="hint">Each kernel by operations per byte and rate, under the measured roofs. Filled: fused. Ring: unfused. Larger: more of the time.</p><div id="roofline"></div></section>
</div>
<section><div class="head"><h2>Timeline of one run</h2><div class="legend" id="legend"></div></div><p class="hint">One lane for each worker, both sides on one scale. Point at a kernel.</p><div id="timeline"></div></section>
<section><div class="head"><h2>Graph</h2><div class="choice" id="which"></div><div class="choice" id="zoom"></div></div>
<p class="hint">A box is a kernel: in grey the inputs and views that it reads, which cost nothing, then the nodes that it computes. Tinted ones are fused; results have a heavy frame.</p><div class="canvas" id="graph"></div></section>
<section><div class="head"><h2>Kernels</h2><div class="choice" id="side"></div></div><p class="hint">Time from a kernel's first chunk to its last; the share is of all workers' time in kernels.</p><div class="scroll"><table id="kernels"></table></div></section>
<div class="columns">
<section><h2>Not fused, and why</h2><p class="hint" id="missed"></p><div class="scroll"><table id="misses"></table></div></section>
<section><h2>Passes</h2><p class="hint">In the order in which they ran, when the graph was compiled.</p><div class="scroll"><table id="passes"></table></div></section>
</div>
</main>
<div id="note"></div>)html";
