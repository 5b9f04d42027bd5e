"use strict";
(() => {
  const buttons = [...document.querySelectorAll(".zoom")];
  const dialog = document.getElementById("viewer");
  const image = dialog.querySelector("img");
  const caption = dialog.querySelector("span");
  let current = 0;
  const show = (place) => {
    current = (place + buttons.length) % buttons.length;
    const shown = buttons[current].querySelector("img");
    image.src = shown.src;
    image.alt = shown.alt;
    image.classList.remove("full");
    caption.textContent = shown.alt;
    image.parentElement.scrollTo(0, 0);
    if (!dialog.open) dialog.showModal();
  };
  buttons.forEach((button, place) => button.addEventListener("click", () => show(place)));
  image.addEventListener("click", () => image.classList.toggle("full"));
  dialog.querySelector(".previous").addEventListener("click", () => show(current - 1));
  dialog.querySelector(".next").addEventListener("click", () => show(current + 1));
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => buttons[current].focus());
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(current - 1);
    if (event.key === "ArrowRight") show(current + 1);
  });
})();
