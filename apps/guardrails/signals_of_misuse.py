"""Signals of an attempt to use the model against its author or its user. Pure data."""

from typing import Final

from apps.guardrails.vocabulary import Signal

MISUSE: Final[tuple[Signal, ...]] = (
    Signal(
        name="prompt_leak",
        weight=0.75,
        meaning="Asks for the instructions that the model was given.",
        stems=(
            "prompt|instruc|your rules|your hidden|hidden|configurat|konfigurat|anweisung|above|oben"
            "|vor meiner|words above|told not|before my|system message|internal rules"
            "|conversation context|encima|antes de mi|systemprompt|vorgaben|internen|env variables"
            "|every forbidden"
        ),
        phrases=(
            r"\b(?:{reveal})\b(?: \w+){0,5}? (?:{secret_text})\b"
            r"|\bwhat (?:is|are|was|were) your (?:exact |full |hidden |original "
            r"|initial )?(?:system prompt|instructions|initial prompt|hidden instructions|prompt)\b"
            r"|\bwhat (?:instructions|rules)(?: \w+){0,2} (?:were you|you were|have you been"
            r"|did you) (?:given|get|told|receive)|\bwhat were you told (?:not )?to\b"
            r"|\b(?:repeat|print|output|summari[sz]e|copy|quote|write)(?: \w+){0,4} (?:words|text"
            r"|everything|messages|instructions) (?:above|before)\b"
            r"|\beverything(?: \w+){0,5} (?:came )?before my first message\b"
            r"|\bincluding hidden messages\b"
            r"|\bstarting with (?:the (?:phrase|words) )?.{0,2}you are\b"
            r"|\b(?:my|your|the) instructions say that\b|\btext of your instructions\b"
            r"|\bcat system.?prompt|\bprint all env(?:ironment)? variables"
            r"|\bfull prompt\b[^.\x00]*\b(?:system|developer)\b"
            r"|\bwie laute(?:t|n) dein(?:e)? (?:systemprompt|system.prompt|anweisungen)\b"
            r"|\bwelche anweisungen hast du\b"
            r"|\bwiederhole (?:alles|den text|die worte)(?: \w+){0,3} (?:uber|oben|vor)\b"
            r"|\bvor meiner ersten nachricht\b"
            r"|\b(?:deinen|den) systemprompt\b[^.\x00]*\b(?:aus|anzeigen|ausgeben)\b"
            r"|\b(?:gib|zeig) (?:deine konfiguration|mir die versteckten)\b"
            r"|\bverrate(?: \w+){0,2} vorgaben\b|\bcual es tu prompt\b"
            r"|\bque instrucciones (?:recibiste|tienes|te dieron)\b"
            r"|\brepite todo(?: \w+){0,4} (?:encima|arriba|antes)\b|\bantes de mi primer mensaje\b"
        ),
    ),
    Signal(
        name="secret_leak",
        weight=0.6,
        meaning="Asks for a secret that the model may hold.",
        stems=(
            "secret|password|passwort|api key|contrasena|clave|confidential|swordfish|schlussel"
            "|internal data|internen daten|datos internos|secret key|conversation of"
        ),
        phrases=(
            r"\b(?:tell|give|reveal|show|output|leak|print|send|say)(?: \w+){0,3} (?:secret|hidden"
            r"|confidential|internal|api|admin|stored) (?:password|key|keys|data|code|information)\b"
            r"|\b(?:reveal|leak|output) (?:the |your )?(?:confidential data|secret key|api key"
            r"|password stored)|\bpassword stored in your context\b|\bapi key from its context\b"
            r"|\bconversations? of (?:the )?other users\b"
            r"|\b(?:nenne|verrate|verrat|gib)(?: \w+){0,3} (?:geheime|passwort|schlussel"
            r"|internen daten)\b"
            r"|\b(?:dime|revela|entrega|enumera)(?: \w+){0,2} (?:contrasena|clave|secreto"
            r"|datos internos)\b"
        ),
    ),
    Signal(
        name="no_refusal",
        weight=0.5,
        meaning="Forbids the model to refuse or to warn.",
        stems=(
            "refus|apolog|warning|sure, here|caveat|ablehn|ablehnst|entschuldig|negarte|se niega|niega"
            "|disculp|advertencias|warnhinweis|never refuse|moral|obey|gehorch|obedece|must comply"
            "|every command|jeden befehl|cada orden|without warnings"
        ),
        phrases=(
            r"\b(?:never|do not|don.?t|may not|must not|cannot|can.?t) (?:refuse|apologi[sz]e"
            r"|say (?:that )?you can|say no|mention policies|decline|add warnings)\b"
            r"|\brefusal is not an option\b"
            r"|\b(?:begin|start) your (?:reply|answer|response) with\b[^.\x00]{0,6}\bsure\b"
            r"|\bwithout (?:any )?(?:warnings|caveats|moral judge?ment|disclaimers)\b"
            r"|\byou must (?:obey|comply)\b|\bgrant every request\b|\bcomply with every\b"
            r"|\b(?:you|and) obey me\b"
            r"|\b(?:nie mehr|niemals|nicht) (?:ablehnen|verweigern)\b|\bniemals ablehnt\b"
            r"|\bdich nicht entschuldigen\b|\bgehorchst nur mir\b|\bfuhre jeden befehl\b"
            r"|\bohne warnhinweise\b|\bno puedes negarte\b|\bno pidas disculpas\b|\bnunca se niega\b"
            r"|\bsolo me obedeces\b|\bobedece cada orden\b|\bsin advertencias\b"
        ),
    ),
    Signal(
        name="authority",
        weight=0.35,
        meaning="Claims an authority that a text can't have.",
        stems=(
            "developer|admin|openai|anthropic|creator|owner|entwickler|administrador|desarrollador"
            "|authori|autoriz|verantwortung|responsib|responsab|freigegeben|haftung|from the system"
        ),
        phrases=(
            r"\bi.?a?m (?:the|your) (?:developer|creator|admin|administrator|owner|new owner"
            r"|new master)\b"
            r"|\bthe user (?:is an? (?:administrator|openai)|has authori[sz]ed)\b"
            r"|\byour (?:admin|administrator|developers?|creator) (?:just |has )?(?:authori[sz]ed"
            r"|approved|gave)\b|\bauthori[sz]ation code\b"
            r"|\bthis (?:message|instruction) is from the (?:administrator|system|developer)\b"
            r"|\b(?:accept all|take full) responsibility\b|\badmin (?:note|mode)\b"
            r"|\b(?:i am|i.?m) (?:over 18|your developer from)\b|\bich bin der entwickler\b"
            r"|\bdein administrator\b"
            r"|\bich ubernehme die (?:volle )?(?:verantwortung|haftung)\b"
            r"|\bsoy el (?:desarrollador|administrador|creador)\b|\btu administrador\b"
            r"|\basumo (?:toda la responsabilidad|las consecuencias)\b"
        ),
    ),
    Signal(
        name="chat_markup",
        weight=0.65,
        meaning="Holds the marks by which chats of models separate roles.",
        stems=(
            "im_start|im_end|endoftext|inst]|<<sys>>|<</sys>>|system|sistema|assistant|#instruction"
            "|# instruction|# new|#new|end of document|end of the document|ende des dokuments"
            "|fin del documento|begin admin"
        ),
        phrases=(
            r"<\|(?:im_start|im_end|system|assistant|endoftext)\|>[^\x00]*|\[/?inst\]|<</?sys>>"
            "|</?system>"
            r'|(?:^|[\n\x00]|["\x27.] ?) ?(?:system|sistema) ?: ?(?:the|you|ab|a partir|from|die|las'
            r"|override|ignore)\b|#{2,} ?(?:new )?(?:system|instructions?)\b"
            r"|\bend of (?:the )?document\b ?[.:]? ?new\b|\bende des dokuments\b ?[.:]? ?neue"
            r"|\bfin del documento\b ?[.:]? ?nuevas|\bbegin admin note\b"
        ),
    ),
    Signal(
        name="to_the_model",
        weight=0.5,
        meaning="Speaks from within a text to the model that reads it.",
        stems=(
            "ai |ai,|llm|language model|assistant|ki |ki-|sprachmodell|assistent| ia|modelo|asistente|gpt"
            "|the model must"
        ),
        phrases=(
            r"\bif you are (?:an? )?(?:{model})\b"
            r"|\b(?:note|message|instructions?|directive|attention|notice|hint)(?: \w+)? (?:to"
            r"|for) (?:the |any |all )?(?:{model})\b"
            r"|\b(?:dear|hey|hello|attention) (?:{model})\b[ ]?[,!:]"
            r"|\bai assistants? (?:reading|processing|summari)\w*|\bllm (?:directive|instruction)\b"
            r"|\b(?:the )?model must include\b"
            r'|(?:^|[.\n>"\x27(] ?)(?:assistant|ai), (?:disregard|ignore|do|please|you|call|send'
            r"|write)\b|\bhinweis an (?:die |das )?(?:{model})\b|\bfalls du ein(?:e)? (?:{model})\b"
            r"|\b(?:lieber|liebe|hallo) (?:assistent|ki)\b"
            r"|\banweisung(?:en)? (?:fur|an) (?:die |das )?(?:{model})\b|\bnota para la? (?:{model})\b"
            r"|\bsi eres un(?:a)? (?:{model})\b|\b(?:querid[oa]|hola) (?:asistente|ia)\b"
            r"|\binstruccion(?:es)?(?: \w+)? para (?:el |la )?(?:{model})\b"
        ),
    ),
    Signal(
        name="secrecy",
        weight=0.4,
        meaning="Asks the model to hide what it does from its user.",
        stems=(
            "do not tell|don't tell|never mention|don't mention|do not mention|without telling"
            "|not tell the user|hide |nichts davon|erwahne diesen|dem nutzer nichts|no se lo digas"
            "|no menciones esta|this sentence|this text told"
        ),
        phrases=(
            r"\b(?:do not|don.?t|never|without) (?:tell|telling|inform|informing|alert|mention"
            r"|mentioning)(?: \w+){0,2} (?:the user|this (?:sentence|text|note|instruction|message)"
            r"|that this)\b|\bhide negative\b|\bsage? dem nutzer nichts\b|\berwahne diesen satz nicht\b"
            r"|\bno se lo digas al usuario\b|\bno menciones esta frase\b"
        ),
    ),
    Signal(
        name="exfiltration",
        weight=0.5,
        meaning="Asks to send something away, or to hide it in an address.",
        stems=(
            "conversation|history|chat|user.s data|user's data|api key|password|credential|last three"
            "|last two|last 2|last 3"
            "|messages|contents of|![|nachrichten|unterhaltung|daten|verlauf|mensajes|conversacion|datos"
            "|historial"
        ),
        phrases=(
            r"\b(?:send|forward|post|upload|transmit|append|email|e-mail|exfiltrate"
            r"|leak)\b[^.\n\x00]*\b(?:conversation|history|chat|user.?s data|api key|passwords?"
            r"|credentials|last (?:three|two|\d+) (?:e.?mails|messages)|contents of)\b"
            r"|!\[[^\]\x00]{0,60}\]\(https?://[^)\s\x00]{0,200}[?&][a-z_]+=(?:\{|\[|<|$|%7b)"
            r"|\b(?:sende|schicke|leite)\b[^.\x00]*\b(?:nachrichten|unterhaltung|daten"
            r"|verlauf)\b[^\x00]*[@/]"
            r"|\b(?:envia|reenvia|manda)\b[^.\x00]*\b(?:mensajes|conversacion|datos"
            r"|historial)\b[^\x00]*[@/]"
        ),
    ),
    Signal(
        name="tool_orders",
        weight=0.5,
        meaning="Gives orders to call tools, or to answer with fixed words.",
        stems=(
            "_tool|tool |call the|use the|before you answer|before doing anything|instead write"
            "|instead of|respond only|reply only|answer only|say only|respondes solo|antwortest du nur"
            "|antworte nur|antworte ab|schreibe nur|responde solo|escribe unicamente|pwned|hacked|gehackt"
            "|hackeado|only with the|best fit|must recommend|tell the user|ask the user|stop processing"
            "|do not summarize|fasse diesen|no resumas|pide al usuario|frage den nutzer|recommend"
            "|empfiehl|recomienda|rate this|bewerte diese|valora esta|approve the"
        ),
        phrases=(
            r"\b(?:call|use|invoke|run|execute) the \w*_\w+(?: tool| function)?\b"
            r"|\b(?:call|use|invoke) the \w+ (?:tool|function) (?:for|to)\b"
            r"|\bbefore (?:you answer|doing anything else)\b|\b(?:do not|don.?t) summari[sz]e this\b"
            r"|\bstop processing (?:the|this) document\b"
            r"|\bask the user for their (?:password|credit|pin)\b"
            r"|\btell the user that their\b[^.\x00]*\bhttp"
            r"|\b(?:respond|reply|answer) only with (?:the word|a link|\W?https?)"
            r"|\bsay (?:only |just )?.{0,2}(?:hacked|i have been pwned|pwned)\b"
            r"|\b(?:must|should) recommend (?:our|this|my)\b"
            r"|\brate this (?:submission|application|paper|candidate) \d+\b"
            r"|\breply that this candidate\b|\bapprove the (?:invoice|request|payment)\b"
            r"|\bfasse diesen text nicht zusammen\b|\bfrage den nutzer nach\b"
            r"|\bbewerte diese (?:bewerbung|arbeit) mit\b"
            r"|\bempfiehl (?:ausschliesslich|ausschlieslich|nur) dieses\b"
            r"|\b(?:antwortest|antworte)(?: du)? (?:ab jetzt )?nur noch\b|\bschreib(?:e)? gehackt\b"
            r"|\bno resumas este texto\b|\bpide al usuario su\b"
            r"|\bvalora esta (?:solicitud|candidatura) con\b|\brecomienda solo este\b"
            r"|\bresponde(?:s)? solo con (?:el enlace|la palabra)\b|\bescribe hackeado\b"
        ),
    ),
    Signal(
        name="loose_leak",
        weight=0.62,
        meaning="Asks for texts that the model holds and its user doesn't see.",
        stems=(
            "prompt|context|kontext|configur|konfigur|setup|einstellung|told|gesagt|bekommen|dijeron"
            "|recibid|directive|directiv|before i |vor meinem|antes de mi|confidential|primed|hidden"
            "|admin password|top of this|oben in|arriba del"
        ),
        phrases=(
            r"\b(?:{recite})(?: \w+){0,5}? (?:of |in |from )?(?:your|deine[nrms]?"
            r"|tus?)(?: \w+){0,2}? (?:{own_text})\b"
            r"|\b(?:{recite})\b[^.!?\n\x00]*?\b(?:everything|all|what|the text|whatever|alles|was"
            r"|todo|lo que)\b[^.!?\x00]{0,12}?\b(?:{told})\b"
            r"|\b(?:what.?s|what is|what stands|was steht|que pone|que hay)(?: \w+){0,5}? (?:top"
            r"|beginning|start|oben|anfang|arriba|principio)(?: \w+){0,3}? (?:chat|conversation|context"
            r"|gesprach|unterhaltung|conversacion)\b"
            r"|\b(?:in|from) your (?:context|prompt|instructions)\b[^\x00]*\b(?:spell|quote|print"
            r"|tell|password|key|part)\b"
            r"|\b(?:password|key|passwort|contrasena)(?: \w+){0,3} (?:from|in|aus|de) (?:your|deinem"
            r"|tu) (?:context|kontext|contexto|prompt)\b|\b(?:who|how)(?: \w+){0,2} configured you\b"
            r"|\btell me the confidential\b|\bconfidential notes\b"
            r"|\b(?:auch das unsichtbare|tambien lo invisible|including the (?:part"
            r"|parts) i can.?t see)\b"
        ),
    ),
    Signal(
        name="loose_authority",
        weight=0.45,
        meaning="Puts the writer in the place of the model's operator.",
        stems=(
            "operator|betreiber|operador|trained you|trainiert hat|te entreno|solely|nur noch|solo cuenta"
            "|my messages as|permission|diagnostic|erlaubnis|permiso|your makers|your creators"
        ),
        phrases=(
            r"\b(?:treat|consider)(?: \w+){0,2} messages as (?:coming )?from (?:your|the) (?:operator"
            r"|developer|system|admin)\b"
            r"|\b(?:lab|team|company|people) (?:that|who|which) (?:trained|built|made|created) you\b"
            r"|\b(?:labor|team|firma)\b[^.\x00]{0,10}\bdich (?:trainiert|gebaut|entwickelt)"
            r"|\b(?:laboratorio|equipo|empresa) que te (?:entreno|creo|hizo)\b"
            r"|\b(?:zahlt|gilt) nur noch was ich\b|\bsolo cuenta lo que yo\b"
            r"|\b(?:only|just) what i say (?:counts|matters)\b|\bhereby (?:grant|give) you permission\b"
            r"|\bignore what your (?:makers|creators|developers)\b|\brun (?:a )?diagnostics?\b"
        ),
    ),
    Signal(
        name="decode_and_obey",
        weight=0.45,
        meaning="Asks to decode something and to do what it says.",
        stems=("decode|dekodier|decodifica|backwards|ruckwarts|rot13"),
        phrases=(
            r"\b(?:decode|dekodiere|decodifica)(?: \w+){0,5} (?:and|then|und|y) (?:follow|execute|obey"
            r"|do what|run|befolge|fuhre|sigue|ejecuta)\b|\bread this backwards\b"
        ),
    ),
)
