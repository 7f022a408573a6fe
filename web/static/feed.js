// The client of the feed: one WebSocket, resumed by cursor, reconnecting with back-off.

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

/** A WebSocket does not say why it was refused: when the session has ended, the page goes to the sign-in. */
async function signInAgain() {
  const answer = await fetch("/api/v1/me").catch(() => null);
  if (answer?.status === 401) location.reload();
}

export class Feed extends EventTarget {
  /**
   * @param {string[]} topics
   * @param {string | null} cursor of the data that the page was rendered with
   * @param {string} connection whose feed it is; "" for the first one's
   */
  constructor(topics, cursor, connection = "") {
    super();
    this.topics = topics;
    this.cursor = cursor;
    this.query = connection ? `?connection=${encodeURIComponent(connection)}` : "";
    this.failures = 0;
    this.connect();
    // After a laptop wakes up or the network is back, connect at once, without the back-off.
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
  }

  connect() {
    clearTimeout(this.timer);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = (this.socket = new WebSocket(`${scheme}//${location.host}/api/v1/feed${this.query}`, "arqlight.v1"));
    socket.onopen = () => {
      this.failures = 0;
      socket.send(JSON.stringify({ subscribe: this.topics, since: this.cursor }));
      this.say("on");
    };
    socket.onmessage = (message) => {
      const frame = JSON.parse(message.data);
      if (frame.cursor) this.cursor = frame.cursor;
      this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
    };
    socket.onclose = () => this.lost();
  }

  lost() {
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.failures++);
    const wait = pause / 2 + Math.random() * (pause / 2);
    this.say("lost", wait);
    this.timer = setTimeout(() => this.connect(), wait);
    signInAgain();
  }

  hurry() {
    if (this.socket.readyState === WebSocket.CLOSED) this.connect();
  }

  say(state, wait = 0) {
    this.dispatchEvent(new CustomEvent("state", { detail: { state, wait } }));
  }
}
