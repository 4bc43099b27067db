/** Names as documents and settings may have them: what `names.ts` knows, as schemas with sentences for people. */
import { z } from 'zod';
import { must } from './sentences.ts';

const label = '[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?';
const dnsLabelPattern = new RegExp(`^${label}$`);
const anyCaseLabel = '[A-Za-z0-9](?:[-A-Za-z0-9]{0,61}[A-Za-z0-9])?';
/** Spelt out instead of ignoring case, for a JSON Schema has no such flag. */
const anyCaseDnsNamePattern = new RegExp(`^(?=.{1,253}$)${anyCaseLabel}(?:\\.${anyCaseLabel})*$`);
const labelWord = '[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?';
const labelKeyPattern = new RegExp(`^(?:(?=[^/]{1,253}/)${label}(?:\\.${label})*/)?${labelWord}$`);
const labelValuePattern = new RegExp(`^(?:${labelWord})?$`);

/** Name of a resource, namespace, port, subset or rule. */
export const dnsLabel = z
  .string()
  .regex(
    dnsLabelPattern,
    must('must be a DNS label: lower-case letters, digits and "-", at most 63, first and last a letter or digit'),
  );

/** Several labels with dots between; upper case is accepted and lowered. All digits at the end would be an IP address. */
export const dnsName = z
  .string()
  .regex(
    anyCaseDnsNamePattern,
    must('must be a DNS name: labels of letters, digits and "-", at most 63 each and 253 together, with dots between'),
  )
  .refine(
    (name) => !anyCaseDnsNamePattern.test(name) || !/(?:^|\.)\d+$/.test(name),
    must('must be a DNS name, not an address'),
  )
  .transform((name) => name.toLowerCase());

const labelKey = z
  .string()
  .regex(
    labelKeyPattern,
    must('is no label key: letters, digits, "-", "_" and ".", at most 63; before a "/" a DNS name'),
  );

const labelValue = z
  .string()
  .regex(labelValuePattern, must('is no label value: letters, digits, "-", "_" and ".", at most 63, or empty'));

/** Labels as Kubernetes has them: `team: books`, `sluice.dev/tier: "1"`. */
export const labels = z.record(labelKey, labelValue);
