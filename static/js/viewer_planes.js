// Three planes through a volume, drawn by NiiVue with WebGL2. The library comes only when it is asked for.

// The volume's grey values, which the server gives in whole numbers.
const LEVELS = 4095;
// Between slices NiiVue interpolates; from one half on, a place is outlined with the same opacity everywhere.
const OUTLINE = { R: [0, 230], G: [0, 159], B: [0, 0], A: [0, 255], I: [0, 255] };

function library(address) {
  if (window.niivue) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.addEventListener("load", resolve);
    script.addEventListener("error", reject);
    document.head.append(script);
  });
}

export class Planes {
  constructor(viewer, facts, settings) {
    this.viewer = viewer;
    this.facts = facts;
    this.settings = settings;
    this.box = document.createElement("div");
    this.box.className = "planes";
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("aria-label", viewer.dataset.planes);
    this.canvas.setAttribute("role", "application");
    this.box.append(this.canvas);
  }

  // Rejects where the browser has no WebGL2, or the volume does not come.
  async open() {
    if (!document.createElement("canvas").getContext("webgl2")) throw new Error("WebGL2");
    await library(this.viewer.dataset.niivue);
    this.panes.hidden = true;
    this.panes.before(this.box);
    this.nv = new window.niivue.Niivue({
      backColor: [0, 0, 0, 1], crosshairColor: [0.5, 0.88, 1, 0.8], crosshairWidth: 0.4, crosshairWidthUnit: "percent", fontColor: [1, 1, 1, 1], isRadiologicalConvention: true, sagittalNoseLeft: true,
      dragAndDropEnabled: false, loadingText: "", logLevel: "error",
      multiplanarShowRender: window.niivue.SHOW_RENDER.NEVER,
    });
    await this.nv.attachToCanvas(this.canvas);
    this.nv.setSliceType(this.nv.sliceTypeMultiplanar);
    this.nv.addColormap("portal_outline", OUTLINE);
    await this.nv.loadVolumes(this.volumes());
    this.nv.scene.crosshairPos = this.nv.mm2frac(this.millimetres(this.middle));
    this.show();
    this.box.dataset.ready = "";
  }

  get panes() {
    return this.viewer.querySelector("[data-panes]");
  }

  // Of the outline, otherwise of the slice that decided, otherwise of the scan.
  get middle() {
    const { box, boxSlice, width, height, decided, slices } = this.facts;
    if (box) return [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, boxSlice];
    return [width / 2, height / 2, decided ?? Math.floor(slices / 2)];
  }

  // The place of a pixel and slice as stored, by the file's own matrix.
  millimetres([x, y, z]) {
    const { affine } = this.nv.volumes[0].hdr;
    return affine.slice(0, 3).map((row) => row[0] * x + row[1] * y + row[2] * z + row[3]);
  }

  volumes() {
    const { volume, maskVolume, outlined } = this.facts;
    const mask = { url: maskVolume, name: "mask.nii.gz", colormap: "portal_outline", cal_min: 0.5, cal_max: 0.51, opacity: 0 };
    return [{ url: volume, name: "volume.nii.gz", colormap: "gray" }, ...(outlined.length ? [mask] : [])];
  }

  // The same window, the same outline as over the slices.
  show() {
    const { width, level, invert, overlay, opacity } = this.settings;
    const [scan, mask] = this.nv.volumes;
    if (!scan) return;
    [scan.cal_min, scan.cal_max] = [level - width / 2, level + width / 2].map((value) => (value / 255) * LEVELS);
    scan.colormapInvert = invert;
    if (mask) mask.opacity = overlay ? opacity : 0;
    this.nv.updateGLVolume();
    this.box.dataset.overlay = String(Boolean(mask) && overlay);
  }

  close() {
    this.nv?.cleanup();
    this.canvas.getContext("webgl2")?.getExtension("WEBGL_lose_context")?.loseContext();
    this.box.remove();
    this.panes.hidden = false;
  }
}
