(() => {
// A file dropped on its field is chosen and sent.
for (const field of document.querySelectorAll(".drop")) {
  const input = field.querySelector("input[type=file]");
  for (const name of ["dragenter", "dragover"]) {
    field.addEventListener(name, event => { event.preventDefault(); field.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) field.addEventListener(name, () => field.classList.remove("over"));
  field.addEventListener("drop", event => {
    event.preventDefault();
    if (!event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    input.form.requestSubmit();
  });
}
// A job in work: its log as it comes, its figures when they change.
const place = document.body.dataset.live;
const log = document.querySelector("#log");
if (log) log.scrollTop = log.scrollHeight;
if (!place || !window.EventSource) return;
const events = new EventSource(place);
const limit = 200000;
events.addEventListener("log", event => {
  if (!log) return;
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(event.data + "\n");
  if (log.textContent.length > limit) log.textContent = log.textContent.slice(-limit / 2);
  if (isAtEnd) log.scrollTop = log.scrollHeight;
});
const renew = async () => {
  const answer = await fetch(location.href, {credentials: "same-origin"});
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ["state", "facts", "curves", "jobs", "picture"]) {
    const [old, now] = [document.getElementById(id), fresh.getElementById(id)];
    if (old && now) old.replaceWith(now);
    else if (now && id === "curves") document.getElementById("log-section")?.before(now);
  }
};
events.addEventListener("changed", renew);
events.addEventListener("ended", () => { events.close(); renew(); });
})();
