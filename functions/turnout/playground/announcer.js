// Says things to screen readers, politely and one after the other.

const region = document.getElementById("announcer");

export function announce(told) {
  const line = document.createElement("p");
  line.textContent = told;
  region.append(line);
  while (region.childElementCount > 6) region.firstElementChild.remove();
}
