(async () => {
  const say = (text) => {
    const box = document.querySelector("#say");
    box.textContent = text;
    box.style.display = "block";
  };
  try {
    window.faceuv = new App(JSON.parse(document.getElementById("data").textContent));
    await window.faceuv.start();
    window.faceuv.ready = true;
  } catch (error) {
    say(error.message);
    if (!(error instanceof FileError)) throw error;
  }
})();
