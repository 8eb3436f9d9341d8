// Numbers and names as they are shown.

const languages = new Intl.DisplayNames(["en"], { type: "language", fallback: "code" });
const tokens = new Intl.NumberFormat("en");
const dollars = new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumFractionDigits: 2 });
const smallDollars = new Intl.NumberFormat("en", { style: "currency", currency: "USD", minimumFractionDigits: 0, maximumSignificantDigits: 3 });
const moments = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const briefMoments = new Intl.DateTimeFormat("en", {
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

export const percent = (share) => {
  const hundredths = share * 100;
  return `${hundredths > 0 && hundredths < 1 ? "<1" : Math.round(hundredths)}%`;
};

export const usd = (amount) => (amount === 0 ? "$0" : (amount < 1 ? smallDollars : dollars).format(amount));

export const count = (number) => tokens.format(number);

export const milliseconds = (ms) => {
  if (ms >= 1000) return `${(ms / 1000).toFixed(ms >= 10_000 ? 0 : 1)}\u00a0s`;
  return `${ms >= 10 ? Math.round(ms) : Number(ms.toPrecision(2))}\u00a0ms`;
};

export const words = (name) => name.replaceAll("_", " ");

export const moment = (seconds) => moments.format(new Date(seconds * 1000));

export const briefMoment = (seconds) => briefMoments.format(new Date(seconds * 1000));

export const language = (code) => {
  if (code === "und") return "not determined";
  try {
    return languages.of(code);
  } catch {
    return code;
  }
};
