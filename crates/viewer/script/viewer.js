// What a page does by itself: places what comes later, keeps the reader's place, tells of a lost connection, and leaves
// nothing on the screen of a device that nobody looks at. It keeps nothing anywhere: no storage of any kind is used.
"use strict";
(() => {
  const HIDDEN_MS = 2 * 60 * 1000; // hidden for longer: the screen is cleared
  const IDLE_MS = 10 * 60 * 1000; // untouched for longer: the same
  const STALE_MS = 15 * 60 * 1000; // what is not being updated stays no longer than this
  const QUIET_MS = 8 * 1000; // a page that still grows says something at least this often
  const SAY_MS = 1000; // what changed is told together, at most once a second
  const $ = (id) => document.getElementById(id);
  const clock = () => new Date().toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const record = () => document.body.classList.contains("record");
  let loaded = clock();
  let lostAt = null;
  let lostClock = "";
  let cleared = false;

  // Whoever can place what comes later says so.
  const liven = () => {
    for (const form of document.querySelectorAll("form[data-live]")) {
      if (form.elements.live) continue;
      const field = document.createElement("input");
      field.type = "hidden";
      field.name = "live";
      field.value = "1";
      form.append(field);
    }
  };

  // --- what changed, said aloud ---
  let fresh = {};
  let timer = 0;
  const heard = new Set();
  const note = (title, count) => {
    fresh[title] = (fresh[title] || 0) + count;
    timer = timer || setTimeout(say, SAY_MS);
  };
  const say = () => {
    timer = 0;
    const parts = Object.entries(fresh).map(([title, count]) =>
      title + (count ? ": " + count + (count === 1 ? " new line" : " new lines") : ""));
    fresh = {};
    if ($("said")) $("said").textContent = "Updated: " + parts.join(", ");
  };
  // A disagreement that matters interrupts, once.
  const key = (call) => call.dataset.rule + call.textContent;
  const remember = (root) => root.querySelectorAll(".callout.high").forEach((call) => heard.add(key(call)));
  const alarm = (root) => {
    for (const call of root.querySelectorAll(".callout.high")) {
      if (heard.has(key(call))) continue;
      heard.add(key(call));
      $("alarm").textContent = call.textContent.replace(/\s+/g, " ").trim();
    }
  };

  // --- placing ---
  // What is being read: the line nearest to the middle of the screen, or else the first place below the banner.
  const anchor = () => {
    const top = $("banner") ? $("banner").getBoundingClientRect().bottom : 0;
    let best = null;
    for (const one of document.querySelectorAll(".line[id]")) {
      const box = one.getBoundingClientRect();
      const away = Math.abs((box.top + box.bottom - top - innerHeight) / 2);
      if (box.height && box.bottom > top && box.top < innerHeight && (!best || away < best[2])) best = [one.id, box.top, away];
    }
    if (best) return best;
    for (const one of document.querySelectorAll(".part, #strip, #alert")) {
      const box = one.getBoundingClientRect();
      if (box.height && box.bottom > top) return [one.id, box.top];
    }
    return null;
  };
  const opened = (root) => [...root.querySelectorAll("details")].map((one) => [path(one), one.open]);
  // A fold is known by the line it is in and by its place there.
  const path = (one) => {
    const home = one.closest(".line[id]") || one.closest("[id]:not(summary)");
    return home ? home.id + "/" + [...home.querySelectorAll("details")].indexOf(one) : "";
  };
  const place = (id, content, look) => {
    const home = $(id);
    if (!home) return;
    if (look) home.className = look;
    const known = new Set([...home.querySelectorAll(".line[id]")].map((one) => one.id));
    const folds = new Map(opened(home));
    const chosen = [...home.querySelectorAll("input:checked")].map((one) => one.id);
    const focus = home.contains(document.activeElement) ? document.activeElement : null;
    const focused = focus && (focus.id || path(focus.closest("details") || home));
    const before = window.scrollY > 0 ? anchor() : null;
    home.replaceChildren(content);
    for (const one of home.querySelectorAll("details")) if (folds.get(path(one))) one.open = true;
    for (const one of chosen) if ($(one)) $(one).checked = true;
    if (focused) {
      const same = $(focused) || [...home.querySelectorAll("details")].filter((one) => path(one) === focused).map((one) => one.firstElementChild)[0];
      (same || home.querySelector("h2") || home).focus({ preventScroll: true });
    }
    const after = before && $(before[0]);
    if (after) window.scrollBy(0, after.getBoundingClientRect().top - before[1]);
    const lines = [...home.querySelectorAll(".line[id]")].filter((one) => !known.has(one.id));
    for (const one of lines) one.classList.add("new");
    setTimeout(() => lines.forEach((one) => one.classList.remove("new")), 4000);
    const title = home.querySelector("h2");
    if (title && /^s-/.test(id)) note((title.firstChild || title).textContent.trim(), lines.length);
    alarm(home);
    liven();
  };
  // A template is whole as soon as something stands after it. One that was cut off is never shown: half a list looks
  // like a whole one.
  const sweep = () => {
    for (const one of document.querySelectorAll("template[data-place]")) {
      if (!one.nextSibling) continue;
      one.remove();
      loaded = clock();
      place(one.dataset.place, one.content, one.dataset.look);
    }
  };

  // --- the connection ---
  const tell = (words, button) => {
    const notice = $("notice");
    if (!notice) return;
    const text = document.createElement("p");
    text.textContent = words;
    notice.replaceChildren(text);
    if (button) {
      const again = document.createElement("button");
      again.className = "small";
      again.textContent = "Try again";
      again.addEventListener("click", ask);
      notice.append(again);
    }
    notice.hidden = false;
  };
  const lost = () => {
    if (!record() || lostAt) return;
    lostAt = Date.now();
    lostClock = clock();
    unconnected();
  };
  const unconnected = () => tell("No connection since " + lostClock + ". Information below was loaded at " + loaded + " and is not being updated.", true);
  let asking = false;
  // Asks again and places what differs; what does not differ stays where it is.
  const ask = async () => {
    const number = document.querySelector(".banner .number");
    if (asking || cleared || !number) return;
    asking = true;
    tell("Connecting\u2026", false);
    try {
      const fields = new URLSearchParams({ nhs: number.textContent.trim(), live: "1" });
      document.querySelectorAll(".again input[type=hidden]").forEach((one) => {
        if (one.name !== "nhs" && one.name !== "live") fields.set(one.name, one.value);
      });
      const answer = await fetch("/record", { method: "POST", body: fields, cache: "no-store" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const same = page.querySelector(".banner .number");
      if (!answer.ok || !same || same.textContent.trim() !== number.textContent.trim()) throw new Error("no record");
      const latest = new Map();
      for (const one of page.querySelectorAll("#sheet, #banner, #strip, #alert, #flag, .part, .about")) {
        const piece = document.createDocumentFragment();
        piece.append(...one.childNodes);
        latest.set(one.id, [piece, one.className]);
      }
      for (const one of page.querySelectorAll("template[data-place]")) latest.set(one.dataset.place, [one.content, one.dataset.look]);
      loaded = clock();
      lostAt = null;
      $("notice").hidden = true;
      for (const [id, [piece, look]] of latest) {
        const now = document.createElement("div");
        now.append(piece.cloneNode(true));
        if ($(id) && now.textContent !== $(id).textContent) place(id, piece, look);
      }
    } catch {
      lostClock = lostAt ? lostClock : clock();
      lostAt = lostAt || Date.now();
      unconnected();
    }
    asking = false;
  };

  // --- nothing stays where nobody looks ---
  const clear = (why) => {
    if (!record() || cleared) return;
    cleared = true;
    const main = document.createElement("main");
    main.className = "cleared";
    const title = document.createElement("h1");
    title.textContent = "Screen cleared";
    const text = document.createElement("p");
    text.textContent = why;
    const link = document.createElement("a");
    link.href = "/";
    link.textContent = "Find the record again. Confirm name and date of birth before you go on.";
    main.append(title, text, link);
    document.body.replaceChildren(main);
    document.body.className = "";
  };
  let touched = Date.now();
  let grewAt = Date.now();
  let hiddenAt = 0;
  for (const kind of ["pointerdown", "keydown", "scroll", "touchstart"]) {
    addEventListener(kind, () => { touched = Date.now(); }, { passive: true, capture: true });
  }
  const watch = () => {
    const now = Date.now();
    // A browser does not tell a page that the rest of it will not come.
    if (!document.querySelector("[data-end]") && now - grewAt > QUIET_MS) lost();
    if (hiddenAt && now - hiddenAt > HIDDEN_MS) clear("This page was in the background for more than two minutes.");
    else if (now - touched > IDLE_MS) clear("Nobody used this page for ten minutes.");
    else if (lostAt && now - lostAt > STALE_MS) clear("There has been no connection for fifteen minutes.");
  };
  setInterval(watch, 1000);
  document.addEventListener("visibilitychange", () => {
    watch();
    hiddenAt = document.hidden ? Date.now() : 0;
  });
  addEventListener("pagehide", () => { if (record()) document.body.replaceChildren(); });
  addEventListener("pageshow", (event) => { if (event.persisted) location.replace("/"); });
  addEventListener("offline", lost);
  addEventListener("online", () => { if (lostAt) ask(); });
  addEventListener("beforeprint", () => {
    const at = $("printed");
    if (at) at.textContent = new Date().toLocaleString("en-GB", { day: "2-digit", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
  });

  // The page is still coming while this runs: watch it, and look through it once more when it has ended.
  const observer = new MutationObserver(() => {
    grewAt = Date.now();
    sweep();
  });
  observer.observe(document.body, { childList: true });
  liven();
  remember(document);
  sweep();
  const ended = () => {
    observer.disconnect();
    sweep();
    liven();
    if (record() && !document.querySelector("[data-end]")) lost();
    // Asked for to be printed, and on record as that.
    if (document.querySelector("[data-print]")) print();
  };
  if (document.readyState === "complete") ended();
  else addEventListener("load", ended);
})();
