// Line icons, 20 by 20. They say nothing to a screen reader: the control that has one has a name.
const paths = {
  sun: "M10 3.2V1.8M10 18.2v-1.4M16.8 10h1.4M1.8 10h1.4M14.8 5.2l1-1M4.2 15.8l1-1M14.8 14.8l1 1M4.2 4.2l1 1M13.2 10a3.2 3.2 0 1 1-6.4 0 3.2 3.2 0 0 1 6.4 0Z",
  moon: "M16.5 11.9A7 7 0 0 1 8.1 3.5a7 7 0 1 0 8.4 8.4Z",
  plus: "M10 4.5v11M4.5 10h11",
  minus: "M4.5 10h11",
  fit: "M3.5 7V4.5a1 1 0 0 1 1-1H7M13 3.5h2.5a1 1 0 0 1 1 1V7M16.5 13v2.5a1 1 0 0 1-1 1H13M7 16.5H4.5a1 1 0 0 1-1-1V13",
  close: "M5.5 5.5l9 9M14.5 5.5l-9 9",
  back: "M11.5 4.5 6 10l5.5 5.5",
  pin: "M10 17.5s5.5-4.7 5.5-9a5.5 5.5 0 0 0-11 0c0 4.3 5.5 9 5.5 9ZM12 8.5a2 2 0 1 1-4 0 2 2 0 0 1 4 0Z",
  calendar: "M3.5 8h13M6.5 2.5v3M13.5 2.5v3M4.5 4h11a1 1 0 0 1 1 1v10.5a1 1 0 0 1-1 1h-11a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1Z",
  arrow: "M4.5 10h11M11 5.5l4.5 4.5-4.5 4.5",
} as const;

export function Icon({ name }: { name: keyof typeof paths }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
