// Plays a recording with its outline. Without script, or for recordings without an outline, the
// browser's own player is there.

const CALLER = "--c1";
const CALLED = "--c2";
const SILENT_BELOW = 18;
const SKIP_AFTER_SECONDS = 0.6;

function clock(seconds) {
  const whole = Math.floor(seconds);
  const pad = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

function draw(canvas, outline, share) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width) return;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const style = getComputedStyle(canvas);
  const bars = Math.max(1, Math.floor(width / 3));
  const half = height / 2;
  const side = (levels, colour, up) => {
    for (let bar = 0; bar < bars; bar++) {
      const from = Math.floor((bar * levels.length) / bars);
      const to = Math.max(from + 1, Math.floor(((bar + 1) * levels.length) / bars));
      const level = Math.max(0, ...levels.slice(from, to));
      const tall = Math.max(1, (level / 100) * (half - 3));
      pen.globalAlpha = bar / bars < share ? 1 : 0.45;
      pen.fillStyle = style.getPropertyValue(colour);
      pen.fillRect(bar * 3, up ? half - tall : half + 1, 2, tall);
    }
  };
  side(outline.caller, CALLER, true);
  side(outline.called, CALLED, false);
  pen.globalAlpha = 1;
  pen.fillStyle = style.getPropertyValue("--ink");
  pen.fillRect(Math.min(width - 2, share * width), 0, 2, height);
}

// Where both sides are silent for a while: [from, to] in seconds.
function silences(outline, seconds) {
  const parts = outline.caller.length;
  const found = [];
  let begin = null;
  for (let part = 0; part <= parts; part++) {
    const quiet =
      part < parts && outline.caller[part] < SILENT_BELOW && outline.called[part] < SILENT_BELOW;
    if (quiet && begin === null) begin = part;
    if (!quiet && begin !== null) {
      const [from, to] = [(begin * seconds) / parts, (part * seconds) / parts];
      if (to - from > SKIP_AFTER_SECONDS) found.push([from, to]);
      begin = null;
    }
  }
  return found;
}

// Left is the caller, right the called party: one of them alone goes to both ears.
function hearSide(audio, state, side) {
  if (!state.sound) {
    if (side === "both") return;
    const context = new AudioContext();
    const source = context.createMediaElementSource(audio);
    state.sound = { context, source, split: context.createChannelSplitter(2) };
  }
  const { context, source, split } = state.sound;
  context.resume();
  source.disconnect();
  split.disconnect();
  if (side === "both") {
    source.connect(context.destination);
  } else {
    const mono = context.createGain();
    mono.channelCount = 1;
    source.connect(split);
    split.connect(mono, side === "caller" ? 0 : 1);
    mono.connect(context.destination);
  }
}

// The tools work from the start; the outline is drawn behind them when it has come.
async function begin(player) {
  if (player.dataset.ready) return;
  player.dataset.ready = "yes";
  const audio = player.querySelector("audio");
  if (!audio) return;

  const find = (what) => player.querySelector(what);
  const [canvas, seek, button] = [find("canvas"), find(".seek"), find("[data-play]")];
  const state = { outline: null, seconds: 0, quiet: [] };
  const show = () => {
    if (state.outline) draw(canvas, state.outline, audio.currentTime / state.seconds);
    seek.value = audio.currentTime;
    seek.setAttribute("aria-valuetext", clock(audio.currentTime));
    find("[data-clock]").textContent = clock(audio.currentTime);
  };

  const picture = button.querySelector("use");
  const pictures = picture.getAttribute("href").split("#")[0];
  const playing = () => picture.setAttribute("href", `${pictures}#${audio.paused ? "play" : "pause"}`);
  button.addEventListener("click", () => (audio.paused ? audio.play() : audio.pause()));
  for (const what of ["play", "pause", "ended"]) audio.addEventListener(what, playing);
  playing();
  audio.addEventListener("timeupdate", () => {
    if (find("[data-skip]").checked && !audio.paused) {
      const gap = state.quiet.find(([from, to]) => audio.currentTime >= from && audio.currentTime < to - 0.1);
      if (gap) audio.currentTime = gap[1];
    }
    show();
  });
  seek.addEventListener("input", () => {
    audio.currentTime = Number(seek.value);
    show();
  });
  find("[data-speed]").addEventListener("change", (event) => {
    audio.playbackRate = Number(event.target.value);
  });
  find("[data-side]").addEventListener("change", (event) => hearSide(audio, state, event.target.value));

  const answer = await fetch(`/api/v1/recordings/${player.dataset.recording}/details`).catch(() => null);
  const { outline, seconds } = answer?.ok ? await answer.json() : {};
  const isOutlined = Boolean(outline?.caller.length && seconds);
  player.classList.toggle("outlined", isOutlined);
  if (!isOutlined) return;
  Object.assign(state, { outline, seconds, quiet: silences(outline, seconds) });
  show();
  new ResizeObserver(show).observe(canvas);
}

const beginAll = (root) => root.querySelectorAll("[data-player]").forEach(begin);
beginAll(document);
document.addEventListener("panel-opened", (event) => beginAll(event.target));
