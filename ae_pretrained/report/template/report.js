"use strict";
(() => {
  const buttons = [...document.querySelectorAll(".zoom")];
  const dialog = document.getElementById("viewer");
  const picture = dialog.querySelector("img");
  const caption = dialog.querySelector("span");
  let current = 0;
  const show = (place) => {
    current = (place + buttons.length) % buttons.length;
    const shown = buttons[current].querySelector("img");
    picture.src = shown.src;
    picture.alt = shown.alt;
    picture.classList.remove("full");
    caption.textContent = shown.alt;
    picture.parentElement.scrollTo(0, 0);
    if (!dialog.open) dialog.showModal();
  };
  buttons.forEach((button, place) => button.addEventListener("click", () => show(place)));
  picture.addEventListener("click", () => picture.classList.toggle("full"));
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
