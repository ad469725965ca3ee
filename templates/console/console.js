// Refreshes live pages: when the pulse says that something changed, the page is
// fetched again and every part with an id that changed is put in place. A part
// that holds the focus, or an opened table, is left alone until it does not.
"use strict";
(() => {
  const main = document.querySelector("main[data-live]");
  if (!main) return;
  const fast = 500, slow = 5000;
  // What the page was made of; without that the first pulse stands for it.
  const { entries, findings } = main.dataset;
  let seen = findings ? { entries: Number(entries), findings: Number(findings) } : null, refreshed = Date.now();
  const busy = (part) => part.contains(document.activeElement) || part.querySelector("details[open]");
  const refresh = async () => {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of main.querySelectorAll(":scope [id]")) {
      const fresh = page.getElementById(part.id);
      if (fresh && part.isConnected && !busy(part) && fresh.innerHTML !== part.innerHTML) part.replaceWith(document.adoptNode(fresh));
    }
    refreshed = Date.now();
  };
  const beat = async () => {
    try {
      if (!document.hidden) {
        const answer = await fetch("/api/v1/pulse");
        if (answer.status === 401) return location.reload();
        const pulse = await answer.json();
        const findings = seen && seen.findings !== pulse.findings;
        const entries = seen && seen.entries !== pulse.entries;
        if (findings || ((entries || main.querySelector(".state-running, .state-waiting, .working")) && Date.now() - refreshed > (main.querySelector(".state-running, .working") ? fast : slow))) {
          await refresh();
          seen = pulse;
        } else if (!entries) {
          seen = pulse;
        }
      }
    } catch {
      // The next beat tries again.
    }
    setTimeout(beat, fast);
  };
  setTimeout(beat, fast);
})();
