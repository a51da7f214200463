// npm's socket.io-client: joins room 1 of /live by polling, websocket or an upgrade, says what it heard as one line of JSON.
"use strict";
const { io } = require("socket.io-client");
const [port, how, count] = process.argv.slice(2);
const transports = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] }[how];
const socket = io(`http://127.0.0.1:${port}/live`, { transports, reconnection: false });
const bodies = [];
socket.on("connect", () => {
  socket.emit("watch", { room: 1 });
});
socket.on("state", () => {
  console.log("ready");
  if (how !== "upgrade") return;
  const through = () => console.log("upgraded");
  if (socket.io.engine.transport.name === "websocket") through();
  else socket.io.engine.on("upgrade", through);
});
socket.on("changed", (body) => {
  bodies.push(body);
  if (bodies.length < Number(count)) return;
  const said = { how, transport: socket.io.engine.transport.name, bodies: bodies.map((b) => ({ n: b.n, sender: b.sender })) };
  console.log(JSON.stringify(said));
  socket.disconnect();
  setTimeout(() => process.exit(0), 300);
});
setTimeout(() => { console.log(JSON.stringify({ how, transport: "", bodies })); process.exit(1); }, 50000);
