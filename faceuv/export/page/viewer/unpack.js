// Unpacks the viewer's code, which lies in the page as compressed text, and runs it.
(async () => {
  try {
    if (!window.DecompressionStream) throw new Error("this browser cannot unpack the viewer (DecompressionStream): take a browser of 2023 or later");
    const bytes = Uint8Array.from(atob(document.getElementById("code").textContent), (sign) => sign.charCodeAt(0));
    const script = document.createElement("script");
    script.textContent = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
    document.body.append(script);
  } catch (error) {
    const box = document.getElementById("say");
    box.textContent = error.message;
    box.style.display = "block";
  }
})();
