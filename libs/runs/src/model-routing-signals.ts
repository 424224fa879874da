/** What the table below looks at. `text` is a bounded sample, `length` the characters of the whole prompt. */
interface PromptFacts {
  text: string;
  length: number;
  maxTokens?: number;
}

export interface Signal {
  reason: string;
  /** Below zero speaks for a small model, above for a large one. */
  weight: number;
  seen: (facts: PromptFacts) => boolean;
}

const START = '(?<![\\p{L}\\p{N}_])';
const END = '(?![\\p{L}\\p{N}_])';

/** One of these phrases as whole words, anywhere: "test" is not in "latest", "prove" not in "improve". */
function says(...phrases: string[]) {
  const pattern = new RegExp(`${START}(?:${spaced(phrases)})${END}`, 'iu');
  return ({ text }: PromptFacts) => pattern.test(text);
}

/** One of these phrases opens a sentence or line: it is what is asked for, not what a text is about. */
function asks(...phrases: string[]) {
  const polite = spaced([
    'please',
    '(?:can|could|would) you(?: please)?',
    'i (?:want|need) you to',
    'you',
    'your task is to',
    'then',
    'now',
    'and',
  ]);
  const pattern = new RegExp(
    `(?:^|[.!?:;]\\s|\\n)[\\s"'(*>#-]{0,8}(?:(?:${polite}),?\\s)?(?:${spaced(phrases)})${END}`,
    'iu',
  );
  return ({ text }: PromptFacts) => pattern.test(text);
}

const spaced = (phrases: string[]) => phrases.join('|').replaceAll(' ', '\\s{1,4}');
const matches =
  (pattern: RegExp) =>
  ({ text }: PromptFacts) =>
    pattern.test(text);

/** What `auto` goes by. Every row that is seen adds its weight once. */
export const SIGNALS: readonly Signal[] = [
  { reason: 'short prompt', weight: -2, seen: ({ length }) => length <= 200 },
  { reason: 'long prompt', weight: 1, seen: ({ length }) => length > 20_000 },
  {
    reason: 'a short answer is enough (max_tokens)',
    weight: -1,
    seen: ({ maxTokens = 1_000 }) => maxTokens <= 100,
  },
  {
    reason: 'a long answer is wanted (max_tokens)',
    weight: 2,
    seen: ({ maxTokens = 1_000 }) => maxTokens >= 16_000,
  },

  {
    reason: 'asks for a translation',
    weight: -8,
    seen: asks('translate', 'how do (?:you|i) say', 'what is the translation'),
  },
  {
    reason: 'asks to extract or list what is there',
    weight: -8,
    seen: asks('extract', 'list all(?: of)? the', 'find all(?: of)? the', 'pull out', 'count'),
  },
  {
    reason: 'asks to classify',
    weight: -8,
    seen: asks(
      'classify',
      'categori[sz]e',
      'label',
      'tag',
      'is (?:this|the following) (?:\\p{L}+ ){0,2}(?:positive|negative|spam)',
      'what is the sentiment',
      'which category',
      'detect the language',
    ),
  },
  {
    reason: 'asks to change a format',
    weight: -8,
    seen: asks('convert', 'reformat', 'format', 'turn this into', 'sort', 'capitali[sz]e', 'transcribe'),
  },
  {
    reason: 'asks to correct or shorten a text',
    weight: -8,
    seen: asks(
      'proofread',
      'correct the',
      'fix the (?:grammar|spelling|typos?|punctuation)',
      'rephrase',
      'reword',
      'paraphrase',
      'shorten',
      'summari[sz]e',
      'tl;?dr',
    ),
  },
  {
    reason: 'asks for a fact',
    weight: -2,
    seen: asks(
      "what(?:’s|'s| is| are| was| does)",
      'who',
      'when',
      'where',
      'which',
      'how (?:many|much|old|far|long|tall)',
      'define',
      'is',
      'are',
      'does',
      'spell',
    ),
  },

  {
    reason: 'has code',
    weight: 1,
    seen: matches(
      /```|=>|^\s{0,8}(?:def|class|function|import|#include|public|const|fn) \S|\bSELECT\s{1,4}\S+\s{1,4}FROM\b|\w\(\w*\) ?\{|^\s{0,8}at \S+ \(|Traceback \(most recent/mu,
    ),
  },
  {
    reason: 'asks for code',
    weight: 2,
    seen: asks(
      'implement',
      'refactor',
      'debug',
      'fix',
      'code',
      'port',
      'optimi[sz]e',
      'add (?:\\p{L}+ ){0,3}tests?',
      'write (?:\\p{L}+ ){0,4}(?:function|class|script|program|query|regex|tests?|component|endpoint|parser)',
      'review',
    ),
  },
  {
    reason: 'asks for an explanation or comparison',
    weight: 2,
    seen: asks(
      'explain',
      'compare',
      'contrast',
      'discuss',
      'analy[sz]e',
      'evaluate',
      'why',
      'how (?:do|does|can|would|should)',
      'what is the difference',
      'walk me through',
    ),
  },
  {
    reason: 'asks for a text of its own',
    weight: 2,
    seen: asks(
      '(?:write|draft|compose|create) (?:(?:me|us) )?(?:an?|the|some)(?! list)',
      'brainstorm',
      'outline',
      'suggest',
      'plan',
      'recommend',
    ),
  },
  {
    reason: 'several steps',
    weight: 2,
    seen: matches(
      /(?:^[ \t]{0,8}\d{1,2}[.)] [^\n]{0,400}\n\s{0,4}){2}[ \t]{0,8}\d{1,2}[.)] |\bfirst\b.{1,300}\bthen\b.{1,300}\b(?:finally|then|after that)\b/imsu,
    ),
  },

  {
    reason: 'mathematical proof',
    weight: 6,
    seen: says(
      'prove(?: or disprove)?(?: that)?',
      'disprove',
      'a (?:\\p{L}+ )?proof (?:that|of|for|by)',
      'proof by (?:induction|contradiction)',
      'derive',
      'theorem',
      'lemma',
      'formally (?:verify|show)',
    ),
  },
  {
    reason: 'careful reasoning',
    weight: 6,
    seen: says(
      'trade-?offs?',
      'reason (?:carefully|through|step by step)',
      'think (?:carefully|hard|deeply|step by step)',
      'root cause',
      'edge cases? (?:and|that)',
      'counter-?examples?',
      'game theory',
      'what could go wrong',
      'second-order effects',
    ),
  },
  {
    reason: 'architecture or system design',
    weight: 6,
    seen: says(
      'architecture',
      'architect',
      'system design',
      'design (?:an?|the|our|my) (?:\\p{L}+(?: |-)){0,4}(?:system|service|platform|api|schema|protocol|database|pipeline|scheduler|language|engine|cache|queue|algorithm|library)',
      'distributed',
      'consensus',
      'event sourcing',
      'microservices',
      'multi-?tenant',
      'high availability',
      'zero(?: |-)downtime',
      'migration (?:plan|strategy)',
    ),
  },
  {
    reason: 'security',
    weight: 6,
    seen: says(
      'threat model(?:ing|s)?',
      'vulnerabilit(?:y|ies)',
      'security (?:review|audit|hole|flaw|implications|analysis|properties)',
      'attack (?:vector|surface|tree)s?',
      'exploit(?:s|able|ed)?',
      'cryptograph(?:y|ic)',
      'timing attacks?',
      'penetration test',
      'privilege escalation',
      'race conditions?',
      'deadlocks?',
    ),
  },
];
