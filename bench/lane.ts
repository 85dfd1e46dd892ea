// How every lane is measured: the same load, the same clock, the same meaning of "in flight". A lane knows how to send and to
// notice; nothing here knows what it goes through.

/** What a lane tells the measurement. Numbers count from the start of the round; both come in order. */
export interface Notices {
  /** The sender knows that one more message is acknowledged. */
  acknowledged(): void;
  /** The receiver's own code has one more message. */
  arrived(): void;
}

/** Nobody listens yet. */
export const silent: Notices = { acknowledged() {}, arrived() {} };

/** One sender and one receiver, connected, in one process: one clock. */
export interface Lane {
  /** Whose turn it is to be told; set before each round. */
  notices: Notices;
  send(payload: string): void;
  close(): Promise<void>;
}

export interface Figures {
  msgPerS: number;
  /** From `send` until the sender's code knows that the message is acknowledged, milliseconds. */
  p50Ms: number;
  p99Ms: number;
  /** From `send` until the receiver's code has the message. */
  arrivalP50Ms: number;
  arrivalP99Ms: number;
}

const quantile = (sorted: Float64Array, q: number): number =>
  Number((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN).toFixed(3));

/** A lane on which nothing moves for this long has failed. */
const stillMsMax = 30_000;

/** Sends `total` messages with `inFlight` sent and not acknowledged at any time, until all are acknowledged and arrived. */
export async function measure(lane: Lane, payload: string, inFlight: number, total: number): Promise<Figures> {
  const sentAt = new Float64Array(total);
  const arrival = new Float64Array(total);
  const acknowledgement = new Float64Array(total);
  let sent = 0;
  let arrived = 0;
  let acknowledged = 0;
  const started = performance.now();
  let seen = 0;
  let watchdog: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve, reject) => {
    watchdog = setInterval(() => {
      if (acknowledged + arrived === seen)
        reject(new Error(`${acknowledged} of ${total} acknowledged, ${arrived} arrived`));
      seen = acknowledged + arrived;
    }, stillMsMax);
    const pump = () => {
      while (sent < total && sent - acknowledged < inFlight) {
        sentAt[sent++] = performance.now();
        lane.send(payload);
      }
    };
    const finish = () => {
      if (acknowledged === total && arrived === total) resolve();
    };
    lane.notices = {
      acknowledged() {
        acknowledgement[acknowledged] = performance.now() - (sentAt[acknowledged] ?? 0);
        acknowledged++;
        pump();
        finish();
      },
      arrived() {
        arrival[arrived] = performance.now() - (sentAt[arrived] ?? 0);
        arrived++;
        finish();
      },
    };
    pump();
  }).finally(() => clearInterval(watchdog));
  const seconds = (performance.now() - started) / 1000;
  arrival.sort();
  acknowledgement.sort();
  return {
    msgPerS: Math.round(total / seconds),
    p50Ms: quantile(acknowledgement, 0.5),
    p99Ms: quantile(acknowledgement, 0.99),
    arrivalP50Ms: quantile(arrival, 0.5),
    arrivalP99Ms: quantile(arrival, 0.99),
  };
}

/** Figure by figure the median of several rounds: one bad moment of the machine does not decide. */
export function median(rounds: readonly Figures[]): Figures {
  const middle = (key: keyof Figures) => {
    const sorted = rounds.map((figures) => figures[key]).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  };
  return {
    msgPerS: middle("msgPerS"),
    p50Ms: middle("p50Ms"),
    p99Ms: middle("p99Ms"),
    arrivalP50Ms: middle("arrivalP50Ms"),
    arrivalP99Ms: middle("arrivalP99Ms"),
  };
}
