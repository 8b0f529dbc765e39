// Keys of the page on which two videos are compared.
(() => {
  let last = "right"; // side that was rated last
  const press = (css, place = 0) => document.querySelectorAll(css)[place]?.click();
  const isOpen = side => !document.querySelector(`#rate-${side} input:checked`);
  const rate = digit => {
    last = isOpen("left") ? "left" : isOpen("right") ? "right" : last === "right" ? "left" : "right";
    press(`#rate-${last} input`, digit - 1);
  };
  const keys = {
    ArrowLeft: () => press("#choice input", 0),
    0: () => press("#choice input", 1),
    ArrowRight: () => press("#choice input", 2),
    Enter: () => press("#save"),
    s: () => press("#skip"),
    Backspace: () => press("#back"),
  };
  for (const digit of [1, 2, 3, 4, 5]) keys[digit] = () => rate(digit);
  // before the page's own: arrows else move the choice within the group that was clicked, or wind a video
  document.addEventListener("keydown", event => {
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) act();
  }, true);
})();
