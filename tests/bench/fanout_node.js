// The same small server as tests/web/fanout_app.py on Node's socket.io: what the fan-out is measured beside.
//   node tests/bench/fanout_node.js PORT
"use strict";
const http = require("http");
const { Server } = require("socket.io");

const server = http.createServer((request, response) => {
  const say = (body) => { response.setHeader("Content-Type", "application/json"); response.end(JSON.stringify(body)); };
  if (request.url === "/counts") return say({ clients: io.engine.clientsCount, behind: 0, rss_kib: Math.round(process.memoryUsage().rss / 1024) });
  if (request.url !== "/run") return; // socket.io's own
  let text = "";
  request.on("data", (more) => { text += more; });
  request.on("end", () => run(JSON.parse(text), say));
});
const io = new Server(server, { transports: ["websocket"], pingInterval: 25000, pingTimeout: 20000 });
const live = io.of("/live");
live.on("connection", (socket) => {
  socket.on("watch", (asked) => { socket.join(`room:${asked.room}`); socket.emit("state", { room: asked.room }); });
});

function run(asked, done) {
  const pad = "x".repeat(Math.max(0, asked.bytes - 60)), total = Math.round(asked.seconds * asked.emits_per_second);
  const gap = 1e9 / asked.emits_per_second, began = process.hrtime.bigint(), cpu = process.cpuUsage();
  let number = 0, latest = 0;
  (function step() {
    let now = Number(process.hrtime.bigint() - began), some = 0;
    while (number < total && number * gap <= now && some < 50) {
      latest = Math.max(latest, now - number * gap);
      const room = number % asked.rooms;
      // hrtime is CLOCK_MONOTONIC, as Python's time.monotonic_ns; a BigInt, written as a number.
      const body = { queue: room, seq: Math.floor(number / asked.rooms), t: 0, part: pad };
      body.t = Number(process.hrtime.bigint());
      live.to(`room:${room}`).emit("changed", body);
      number += 1; some += 1;
      now = Number(process.hrtime.bigint() - began);
    }
    if (number < total) {
      const ahead = number * gap - now;
      return ahead > 1.5e6 ? setTimeout(step, Math.floor(ahead / 1e6) - 1) : setImmediate(step);
    }
    const used = process.cpuUsage(cpu);
    done({ emits: total, seconds: Number(process.hrtime.bigint() - began) / 1e9, cpu_s: (used.user + used.system) / 1e6, latest_ms: latest / 1e6 });
  })();
}
server.listen(Number(process.argv[2]), "127.0.0.1");
