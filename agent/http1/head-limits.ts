/** How much may be read of the head of a message, whichever way it goes, before it is refused. */

/** Cookies and tokens of real users fit; Envoy's limit is 60 KiB. */
export const mostHeadBytes = 64 * 1024;
