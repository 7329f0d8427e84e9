/** An SVG file is imported as its text, from which a LabIcon is made. */
declare module '*.svg' {
  const text: string;
  export default text;
}
