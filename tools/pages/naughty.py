"""Names that break careless pages: as class names and as file names. Each would call `pwn` if it were run."""

MARKUP = [
    "</script><script>pwn(1)</script>", "<script>pwn(2)</script>", "\"><script>pwn(3)</script>",
    "'><script>pwn(4)</script>", "<img src=x onerror=pwn(5)>", "\"><img src=x onerror=pwn(6)>",
    "<svg onload=pwn(7)>", "<svg/onload=pwn(8)//", "\" onmouseover=pwn(9) x=\"", "' onfocus=pwn(10) autofocus='",
    "` onclick=pwn(11) `", "<iframe srcdoc='<script>parent.pwn(12)</script>'>", "<a href=javascript:pwn(13)>x</a>",
    "javascript:pwn(14)", "<details open ontoggle=pwn(15)>", "<body onload=pwn(16)>", "</title><script>pwn(17)</script>",
    "</style><script>pwn(18)</script>", "</svg><script>pwn(19)</script>", "</desc></svg><img src=x onerror=pwn(20)>",
    "<!--", "-->", "<!--><script>pwn(21)</script>-->", "<![CDATA[<script>pwn(22)</script>]]>", "<?xml version='1.0'?>",
    "<base href=//evil.example/>", "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css>", "<style>*{display:none!important}</style>",
    "<math><mtext></table><mglyph><style><img src=x onerror=pwn(23)>", "<noscript><p title=\"</noscript><img src=x onerror=pwn(24)>\">",
    "<template><script>pwn(25)</script></template>", "<plaintext>", "<xmp>", "<textarea>", "<table><tr><td>", "</table></body></html>",
    "<use href=\"data:image/svg+xml,<svg id='x' xmlns='http://www.w3.org/2000/svg'/>#x\">", "<form action=//evil.example><button>",
    "&lt;script&gt;pwn(26)&lt;/script&gt;", "&#60;img src=x onerror=pwn(27)&#62;", "&", "&amp", "&quot;", "&NotANamedEntity;", "<", ">", "\"", "'",
    "<scr\u0000ipt>pwn(28)</script>", "\"\u0301 onmouseover=pwn(29) x=\"\u0301", "<\u0338img src=x onerror=pwn(30)>", "'\u20e3 onfocus=pwn(31) '\u20e3",
    "\uff1cscript\uff1epwn(32)\uff1c/script\uff1e",
]
SCRIPT = [
    "\\", "\\\\", "\\\"", "\\u003cscript\\u003epwn(40)\\u003c/script\\u003e", "\"}];pwn(41);//", "';pwn(42);//", "${pwn(43)}", "`${pwn(44)}`",
    "{{pwn(45)}}", "{{{css}}}", "{{> page}}", "{{#sections}}x{{/sections}}", "{{=<% %>=}}", "<%= pwn(46) %>", "#{pwn(47)}", "\u2028pwn(48)", "\u2029pwn(49)",
    "__proto__", "constructor", "hasOwnProperty", "toString", "undefined", "null", "NaN", "Infinity", "true", "0", "-0", "1e400", "0x10", "length",
]
TEXT = [
    "", " ", "   ", "\t", "two\nlines", "two\r\nlines", " leading", "trailing ", "tab\there", "nul\u0000", "bell\u0007", "\u001b[31mred", "c1\u0085\u009f",
    "\u202egnp.exe", "\u2066isolated\u2069", "\u200f\u05d0\u05d1", "\u061c\u0639\u0631\u0628\u064a", "\u05e9\u05dc\u05d5\u05dd", "\u0645\u0631\u062d\u0628\u0627 abc",
    "zero\u200bwidth", "zero\u200b\u200bwidth", "joined\u2060up", "soft\u00adhyphen", "\ufeffmark", "\ufffe", "\uffff", "\ufdd0", "\U000e0041\U000e0042", "\U000f0000",
    "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324\u031e\u0349\u035a\u032f\u031ea\u0337\u034e\u0333l\u0338\u0321g\u0327o\u0321",
    "e\u0301", "\u00e9", "\u212b", "\u00c5", "ﬀ", "ß", "İ", "ı", "𝒳", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇺🇳🇷🇺🇸", "漢字", "カタカナ", "한국어", "ไทย", "नमस्ते", "Ω≈ç√∫˜µ≤≥÷", "¯\\_(ツ)_/¯",
    "=cmd()", "+1", "-1", "@SUM(A1)", "|pipe|", "%s%n%x", "%00", "%2e%2e%2f", "../../etc/passwd", "/etc/passwd", "C:\\con", "aux", "--help", "; rm -rf /", "$(reboot)", "`reboot`",
    "' OR 1=1 --", "Robert'); DROP TABLE images;--", "[link](//evil.example)", "![i](//evil.example/i.png)", "//evil.example/x", "https://evil.example/?a=1&b=2",
    "a" * 4096, "\U0001f600" * 600, "w " * 1000, "<b>" * 1000, "x\u0300" * 800,
]
NAMES = list(dict.fromkeys(MARKUP + SCRIPT + TEXT))
