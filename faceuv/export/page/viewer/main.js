(async () => {
  const say = (text) => {
    const box = document.querySelector("#say");
    box.textContent = text;
    box.style.display = "block";
  };
  try {
    const data = JSON.parse(document.getElementById("data").textContent);
    window.studio?.before(data);
    const app = (window.faceuv = new App(data));
    await (window.studio ? window.studio.run(app) : app.start());
    window.faceuv.ready = true;
  } catch (error) {
    say(error.message);
    if (!(error instanceof FileError)) throw error;
  }
})();
