"""What attempts to give a model other orders are made of, in English, German and Spanish. Pure data.

A phrase is written in folded form (lower case, no accents). A blank stands for anything between two words, `~`
for up to six words of the same sentence, and `{name}` for one of a list of words. Stems tell cheaply whether a
signal can be there at all: each of its phrases holds one of them.
"""

import re
from dataclasses import dataclass
from typing import Final

WORDS: Final[dict[str, str]] = {
    "ignore": (
        "ignore|disregard|forget|override|overrule|neglect|discard|set aside|drop|bypass|abandon"
        "|pay no attention to|(?:do not|don.?t|never|stop) (?:follow|following|obey|obeying|listen to|listening to|adhere to)"
        "|ignorier(?:e|en|t|st)?|vergiss|vergesst|missachte|verwirf|umgeh(?:e|en)|befolge nicht"
        "|ubergeh(?:e|en)|halte? dich nicht(?: mehr)? an|folge nicht"
        "|ignora|ignorad|olvida|olvidad|olvidate de|descarta|desatiende|desobedece|omite|pasa por alto|saltate|salta"
        "|no (?:hagas caso de|hagas caso a|sigas|obedezcas|tengas en cuenta|respetes)"
    ),
    "whose": (
        "your|all|any|every|everything|previous|prior|preceding|above|earlier|former|initial|original|system|developer|these|those"
        "|deine|deinen|deiner|dein|alle|allen|samtliche|jegliche|vorherigen|vorherige|bisherigen|bisherige|obigen|obige|fruheren|vorigen"
        "|tu|tus|todas|todos|toda|anteriores|anterior|previas|previos|cualquier|las"
    ),
    "orders": (
        "instructions?|directives?|directions|guidelines?|rules?|prompts?|programming|commands?|orders|policy|policies|constraints?"
        "|restrictions?|limitations|safeguards|guardrails|(?:safety |content |moderation )?filters?|system (?:prompt|message)"
        "|moderation layer|safety (?:rules|protocols|measures)"
        "|anweisungen|anweisung|instruktionen|regeln|vorgaben|richtlinien|befehle|einschrankungen|systemprompt|system.prompt|vorschriften"
        "|filter|sicherheitsfilter|inhaltsrichtlinien|sicherheitsvorkehrungen"
        "|instrucciones|reglas|ordenes|directrices|normas|indicaciones|restricciones|politicas|prompt del? sistema|filtros?"
        "|limitaciones"
    ),
    "reveal": (
        "reveal|print|show|repeat|output|display|disclose|tell|give|leak|dump|list|quote|write|recite|echo|translate|convert|share|expose|copy|send"
        "|verrate|verrat|zeig|zeige|gib|nenne|wiederhole|zitiere|schreib|schreibe|ubersetze|drucke|offenbare"
        "|revela|muestra|muestrame|imprime|repite|dime|di|escribe|traduce|cita|entrega|ensena|ensename"
    ),
    "secret_text": (
        "system prompts?|systemprompts?|system messages?|system instructions|initial (?:prompt|instructions|text)"
        "|(?:hidden|secret|internal|confidential|original|full) (?:prompt|instructions|rules|text|system prompt|messages)"
        "|your (?:prompt|instructions|rules|guidelines|configuration|system prompt|hidden instructions|internal rules)"
        "|complete conversation context|prompt or instructions|content of your context"
        "|(?:hidden|secret|first \\d+ lines) (?:part )?of your (?:prompt|instructions)"
        "|(?:deine|deinen|die|den) (?:systemprompt|system.prompt|versteckten anweisungen|geheimen anweisungen|konfiguration|internen regeln)"
        "|deine (?:anweisungen|vorgaben|konfiguration|instruktionen|regeln)"
        "|(?:prompt|instrucciones|mensaje) (?:de|del) sistema|tus instrucciones|tu configuracion|instrucciones (?:ocultas|secretas|internas)|tu prompt"
    ),
    "free": (
        "unrestricted|uncensored|unfiltered|unbound|jailbroken|lawless|amoral"
        "|unzensiert(?:e|er|es|en)?|ungefiltert(?:e|er|es|en)?|uneingeschrankt(?:e|er)?"
        "|sin censura|sin restricciones|sin filtros?|sin limites|sin reglas|desinhibid[oa]|malvad[oa]"
    ),
    "limits": (
        "restrictions?|limits|limitations|rules|filters?|guidelines|ethics|ethical (?:guidelines|limits|restrictions)|morals|moral compass"
        "|censorship|content policy|content policies|policies|boundaries|norms|safeguards|caveats|warnings"
        "|einschrankungen|grenzen|regeln|filter|zensur|moral|richtlinien|ethischen grenzen|warnhinweise|tabus"
        "|restricciones|limites|limites eticos|reglas|filtros?|censura|normas|moral|etica|advertencias"
    ),
    "remove": (
        "ignore|ignoring|disregard|forget|drop|skip|remove|removed|wipe|erase|delete|lift|lifted|break|breaking|disobey|suspend|waive|leave out|put aside|set aside|abandon|shed|lose|ditch|violate|undo|without|no|zero|none of"
        "|ignoriere|vergiss|losche|entferne|brich|lass|lasse|streiche|ohne|keine|keinerlei|weglassen|verlasse|breche"
        "|ignora|olvida|borra|elimina|quita|deja|rompe|abandona|suelta|sin|ninguna|ningun"
    ),
    "removed": (
        "(?:have been |has been |were |was |are |is |got )?(?:gone|removed|lifted|off|disabled|deleted|over|suspended|revoked|no longer valid)|(?:do not|don.?t|no longer) (?:apply|count|matter)"
        "|(?:wurden |wurde |sind |ist )?(?:entfernt|aufgehoben|weg|abgeschaltet|geloscht|ausser kraft)|gelten nicht|zahlen nicht"
        "|(?:han sido |ha sido |estan |quedan )?(?:eliminad[oa]s?|anulad[oa]s?|suspendid[oa]s?|levantad[oa]s?|desactivad[oa]s?)|no valen|no cuentan"
    ),
    "you": "your|you|you.ve|you.re|dein|deine|deinen|deiner|deinem|dir|dich|du|tu|tus|te|ti",
    "bounds": (
        "instructions?|directives?|guidelines|rules?|restrictions?|constraints?|limits|limitations|filters?|safety(?: act| team| measures)?|policy|policies|guardrails|safeguards|alignment|brakes"
        "|moral(?:s|ity)?|ethics|censorship|programming|training|disclaimers|inhibitions|boundaries"
        "|anweisungen|regeln|vorgaben|richtlinien|beschrankungen|einschrankungen|grenzen|filter|vorschriften|zensur|moral|hemmungen|bremse|sicherheitsteam"
        "|instrucciones|reglas|normas|directrices|restricciones|limites|filtros|censura|moral|frenos|equipo de seguridad"
    ),
    "own_text": (
        "prompt|system prompt|directives|context|configuration|setup|set-up|primer|preamble|hidden (?:text|notes|instructions)|confidential notes|initial message|first message|developer message|instruction set"
        "|prompts?|kontext|kontexts|konfiguration|einstellungen|systemnachricht|vorgaben"
        "|prompt|contexto|configuracion|mensaje inicial|ajustes|directivas"
    ),
    "recite": (
        "quote|paste|spell|list|print|output|translate|encode|summari[sz]e|recite|repeat|reveal|show|give me|tell me|display|dump|write out|copy|share|continue"
        "|zitiere|fuge|buchstabiere|liste|drucke|ubersetze|kodiere|wiederhole|verrate|zeige?|gib|nenne|schreib"
        "|cita|pega|pegalo|deletrea|enumera|imprime|traduce|codifica|repite|revela|muestra|dame|dime|escribe|copia"
    ),
    "told": (
        "you (?:were|have been|.?ve been) (?:told|given|primed|configured|instructed|set up|trained|asked)(?: \\w+)?|(?:told|gave|forbade|forbidden) you"
        "|(?:man|wir|sie|jemand|niemand|nie jemand)? ?(?:dir|dich) (?:\\w+ ){0,4}?(?:gesagt|gegeben|verboten|beauftragt|bekommen)|du (?:\\w+ ){0,3}?(?:bekommen|erhalten) hast"
        "|te (?:dijeron|dieron|han dicho|han dado|ordenaron|prohibieron|hubiera prohibido)|(?:has|hayas) recibido|recibiste"
    ),
    "become": (
        "you are (?:now )?|your (?:new )?(?:name|persona|role) is|new persona|change your role to|act like|act as|pretend (?:to be|you are|that)?|from (?:now|here|this point) (?:on|forward|onwards?)|play|be|as if"
        "|du bist(?: jetzt)?|du heisst|du heist|dein name ist|spiel|spiele|tu so|ab (?:hier|jetzt|sofort)|neue rolle"
        "|eres|ahora eres|ahora te llamas|te llamas|haz de|haz como|finge|desde (?:aqui|ahora)|nuevo papel|a partir de"
    ),
    "model": (
        "(?:ai|llm|a\\.i\\.)(?: (?:assistants?|models?|systems?|agents?|reviewers?))?|language models?|large language models?|assistant|chatbots?|gpt"
        "|ki|ki.systeme?|ki.assistent(?:en)?|sprachmodelle?|assistent(?:en)?"
        "|ia|modelos? de lenguaje|modelo|asistentes?|inteligencia artificial"
    ),
}


@dataclass(frozen=True, slots=True)
class Signal:
    """One kind of sign: how much it says by itself (0–1), and the phrases that show it."""

    name: str
    weight: float
    meaning: str
    stems: str
    phrases: str


SIGNALS: Final[tuple[Signal, ...]] = (
    Signal(
        "override",
        0.8,
        "Tells the model to ignore the instructions that it has.",
        "ignor|disregard|forget|overrid|overrul|neglect|discard|aside|drop|bypass|abandon|attention to|follow|obey|listen"
        "|adher|vergiss|vergesst|missacht|verwirf|umgeh|befolg|ubergeh|halt|folge|olvid|descart|desat|desobed|omite|alto"
        "|salta|no hagas|no sigas|no obedez|no tengas|no respet",
        "\\b(?:{ignore})(?: \\w+){0,4}? (?:{whose})(?: \\w+){0,4}? (?:{orders})\\b"
        "|\\b(?:{ignore})(?: \\w+){0,4}? (?:{orders}) (?:above|before|given|that (?:you|were)|you|they|your|oben|zuvor|anteriores|previas|de arriba|que)\\b"
        "|\\bforget (?:everything|all|anything)(?: that)?(?: (?:above|before|you (?:were|have|know|learned)|we)| the (?:rules|instructions))"
        "|\\bvergiss (?:alles|samtliche regeln|deine)\\b(?: was)?(?: dir)?"
        "|\\bolvida (?:todo|todas las reglas|tus)\\b(?: lo)?"
        "|\\b(?:do not|don.?t) (?:follow|obey) (?:the|anything) (?:above|rules|previous)"
        "|\\b(?:ignore|disregard) (?:previous|prior|the user|the above|the text above|the user.s question|what (?:you|the system|came before))\\b"
        "|\\bhalte? dich nicht(?: mehr)? an (?:deine|die|das was)\\b",
    ),
    Signal(
        "orders_void",
        0.5,
        "Says that the instructions so far no longer hold.",
        "no longer appl|do not apply|don't apply|null and void|are void|is void|cancelled|outdated|were a test|was a test"
        "|lifted|nicht mehr|aufgehoben|ungultig|ein test|auser kraft|auss|gelten hier nicht|ya no sirv|anulad|sin efecto|una prueba|no se aplican|no valen"
        "|desactivad|deaktiviert|disabled|suspended|are off",
        "\\b(?:rules|instructions|directives?|restrictions|guidelines|safety (?:rules|protocols)|content filters|policies|the text above|old task)"
        "(?: \\w+){0,3} (?:(?:no longer|do not|don.?t) apply|(?:are|is) (?:void|null|cancelled|lifted|off|disabled|suspended|outdated)|disabled|suspended|cancelled|null and void)"
        "|\\bsafety protocols (?:disabled|suspended|off)"
        "|\\beverything (?:before|above|until)(?: \\w+){0,3} was (?:just )?a test\\b"
        "|\\b(?:regeln|anweisungen|vorgaben|einschrankungen|richtlinien|filter)(?: \\w+){0,3} (?:gelten(?: \\w+)? nicht|sind (?:aufgehoben|ungultig|deaktiviert)|aufgehoben|deaktiviert|auss?er kraft)"
        "|\\bdie alten gelten nicht mehr|\\balles vor(?: \\w+){1,3} war (?:nur )?ein test"
        "|\\bsetze?(?: \\w+){1,4} auss?er kraft|\\bsind alle filter deaktiviert"
        "|\\b(?:reglas|instrucciones|normas|directrices|restricciones|filtros)(?: \\w+){0,5} (?:no se aplican|no valen|no sirven|anuladas|quedan|sin efecto|desactivados)"
        "|\\blas antiguas ya no|\\btodo lo anterior era (?:solo )?una prueba",
    ),
    Signal(
        "new_orders",
        0.45,
        "Claims to be new instructions in place of the old ones.",
        "new instruction|new task|new rule|new directive|real instruction|new orders|follow mine|following instead|use these|deine neuen|neue regel"
        "|neue anweisung|echte anweisung|nuevas instruc|nueva regla|instruccion real|tus nuevas|override|your new",
        "(?:^|[.:!#\\n]) {0,2}#{0,3} {0,2}(?:your |the )?new (?:instructions?|task|rules?|directives?|orders)(?: #{1,3}| ?:| (?:is|are))"
        "|\\byour (?:new|real|true|actual) (?:task|job|instructions?|goal|purpose|role) (?:is|are)\\b"
        "|\\bthe (?:real|true|actual) instruction is\\b|\\bnew directive\\b|\\bfollow mine\\b|\\boverride ?: priority"
        "|\\b(?:replace them with the following|use these (?:ones|instructions) instead)\\b|\\bsystem override\\b"
        "|\\bdeine neuen? (?:anweisung|anweisungen|aufgabe|regeln) (?:lautet|lauten|ist|sind)\\b|\\bneue (?:regel|anweisung) ?:|\\b(?:echte|wahre) anweisung\\b"
        "|\\btus nuevas (?:instrucciones|reglas)\\b|\\bnuevas? (?:reglas?|instruccion|instrucciones) ?:|\\binstruccion (?:real|verdadera)\\b",
    ),
    Signal(
        "free_persona",
        0.7,
        "Asks the model to be something that has no limits.",
        "no limit|no rule|no filter|no restric|no ethic|no moral|no norm|no guidelin|no content|no censor|no boundar|without|unrestrict|uncensor|unfilter"
        "|jailbroken|evil|bound|freed|ohne|unzensier|ungefilter|uneinges|bosen|keine|kein|sin |malvad|none of|had no|no conoce|no tienes|free to|broken free|nicht mehr an"
        "|no longer|you're free|you are free|ya no estas",
        "\\b(?:you are|you.?re|act as|become|be|called|named|simulate|as|ai|bot|model|version|pretend|roleplay|role.play)\\b(?:[^.!?\\x00]{0,80}?)"
        "(?:\\b(?:with )?(?:no|without|without any|that has no|none of your) (?:{limits})\\b|\\b(?:unrestricted|uncensored|unfiltered|jailbroken|amoral)\\b)"
        "|\\b(?:pretend|imagine|suppose|hypothetically)\\b[^.!?\\x00]{0,40}? you (?:have|had) no (?:\\w+ ){0,2}?(?:{limits})\\b"
        "|\\bai (?:that|which|who) (?:is not|isn.?t) bound by (?:any )?(?:rules|limits|policies)\\b"
        "|\\b(?:evil|uncensored|unfiltered|unrestricted) (?:twin|version|mode|ai|assistant|bot|storyteller|gpt)\\b"
        "|\\byou (?:have been|are|.?re) (?:now )?(?:freed?|liberated|no longer bound)\\b[^.!?\\x00]{0,40}"
        "|\\b(?:has none of your limitations|broken free of|any filter|never refuses|can.?t say no)\\b"
        "|\\b(?:du bist|sei|als|rolle|ki|assistent|antworte|rollenspiel)\\b[^.!?\\x00]{0,80}?(?:\\b(?:ohne|keine|kein) (?:\\w+ )??(?:{limits})\\b|\\b(?:unzensiert|ungefiltert|uneingeschrankt)(?:e|er|es|en)?\\b)"
        "|\\bals hattest du kein(?:e|en)? (?:\\w+ ){0,1}(?:{limits})\\b|\\bohne (?:jeden|jede|jegliche) (?:filter|zensur|regeln)\\b"
        "|\\bdu bist nicht mehr an\\b[^.!?\\x00]{0,40}gebunden\\b|\\b(?:bosen|bose) ki\\b"
        "|\\b(?:eres|actua|se|como|papel|version|ia|asistente|finge|responde|rol)\\b[^.!?\\x00]{0,80}?\\b(?:sin (?:ningun |ninguna )?(?:{limits})|que no (?:tienes|conoce) (?:{limits})|sin filtrar|malvad[oa])\\b"
        "|\\bya no estas sujeto a\\b",
    ),
    Signal(
        "known_jailbreak",
        0.75,
        "Uses the words of a known jailbreak.",
        "do anything now|developer mode|modo desarrollador|entwicklermodus|jailbreak|god mode|dan mode|stan|dude|evilgpt|uncensored mode|as dan|now dan|jetzt dan|eres dan"
        "|bist du dan|dan, |dan eine|grandmother|opposite day|sudo|admin mode|stay in character|sales del personaje|in der rolle|puede hacer cualquier cosa|alles darf|two answers",
        "\\bdo anything now\\b|\\b(?:developer|god|dan|admin|uncensored|unrestricted|debug) mode (?:is )?(?:enabled|activated|active)\\b|\\b(?:god|dan|admin|uncensored|unrestricted) mode ?:? on\\b"
        "|\\benter developer mode\\b|\\bin developer mode\\b|\\bjailbreak yourself\\b|\\b(?:you are now|act as|as|called|from now on you are) (?:dan|stan|dude|evilgpt|aim|devmode)\\b"
        "|\\bact as dan\\b|\\bactivate jailbreak\\b|\\bopposite day\\b[^\\x00]{0,80}\\b(?:rules|guidelines|forbid)"
        "|\\bgrandmother\\b[^.\\x00]{0,60}\\b(?:used to|would)\\b[^.\\x00]{0,60}\\b(?:keys?|napalm|recipes?|bomb)"
        "|\\bsudo\\b[^\\n\\x00]{0,40}\\b(?:guardrails|filters?|safety|system.?prompt)"
        "|\\b(?:stay|remain) in character no matter\\b"
        "|\\baktiviere den entwicklermodus\\b|\\bim entwicklermodus\\b|\\b(?:bist du|du bist(?: jetzt)?) dan\\b|\\bimmer in der rolle\\b|\\bdie alles darf\\b"
        "|\\bactiva el modo desarrollador\\b|\\ben modo desarrollador\\b|\\beres dan\\b|\\bnunca sales del personaje\\b|\\bpuede hacer cualquier cosa\\b",
    ),
    Signal(
        "prompt_leak",
        0.75,
        "Asks for the instructions that the model was given.",
        "prompt|instruc|your rules|your hidden|hidden|configurat|konfigurat|anweisung|above|oben|vor meiner|words above|told not|before my|system message|internal rules"
        "|conversation context|encima|antes de mi|systemprompt|vorgaben|internen|env variables|every forbidden",
        "\\b(?:{reveal})\\b(?: \\w+){0,5}? (?:{secret_text})\\b"
        "|\\bwhat (?:is|are|was|were) your (?:exact |full |hidden |original |initial )?(?:system prompt|instructions|initial prompt|hidden instructions|prompt)\\b"
        "|\\bwhat (?:instructions|rules)(?: \\w+){0,2} (?:were you|you were|have you been|did you) (?:given|get|told|receive)"
        "|\\bwhat were you told (?:not )?to\\b|\\b(?:repeat|print|output|summari[sz]e|copy|quote|write)(?: \\w+){0,4} (?:words|text|everything|messages|instructions) (?:above|before)\\b"
        "|\\beverything(?: \\w+){0,5} (?:came )?before my first message\\b|\\bincluding hidden messages\\b"
        "|\\bstarting with (?:the (?:phrase|words) )?.{0,2}you are\\b|\\b(?:my|your|the) instructions say that\\b|\\btext of your instructions\\b"
        "|\\bcat system.?prompt|\\bprint all env(?:ironment)? variables"
        "|\\bfull prompt\\b[^.\\x00]{0,40}\\b(?:system|developer)\\b"
        "|\\bwie laute(?:t|n) dein(?:e)? (?:systemprompt|system.prompt|anweisungen)\\b|\\bwelche anweisungen hast du\\b"
        "|\\bwiederhole (?:alles|den text|die worte)(?: \\w+){0,3} (?:uber|oben|vor)\\b|\\bvor meiner ersten nachricht\\b"
        "|\\b(?:deinen|den) systemprompt\\b[^.\\x00]{0,60}\\b(?:aus|anzeigen|ausgeben)\\b"
        "|\\b(?:gib|zeig) (?:deine konfiguration|mir die versteckten)\\b|\\bverrate(?: \\w+){0,2} vorgaben\\b"
        "|\\bcual es tu prompt\\b|\\bque instrucciones (?:recibiste|tienes|te dieron)\\b|\\brepite todo(?: \\w+){0,4} (?:encima|arriba|antes)\\b|\\bantes de mi primer mensaje\\b",
    ),
    Signal(
        "secret_leak",
        0.6,
        "Asks for a secret that the model may hold.",
        "secret|password|passwort|api key|contrasena|clave|confidential|swordfish|schlussel|internal data|internen daten|datos internos|secret key|conversation of",
        "\\b(?:tell|give|reveal|show|output|leak|print|send|say)(?: \\w+){0,3} (?:secret|hidden|confidential|internal|api|admin|stored) (?:password|key|keys|data|code|information)\\b"
        "|\\b(?:reveal|leak|output) (?:the |your )?(?:confidential data|secret key|api key|password stored)"
        "|\\bpassword stored in your context\\b|\\bapi key from its context\\b|\\bconversations? of (?:the )?other users\\b"
        "|\\b(?:nenne|verrate|verrat|gib)(?: \\w+){0,3} (?:geheime|passwort|schlussel|internen daten)\\b"
        "|\\b(?:dime|revela|entrega|enumera)(?: \\w+){0,2} (?:contrasena|clave|secreto|datos internos)\\b",
    ),
    Signal(
        "guard_off",
        0.7,
        "Asks to switch the model's protection off.",
        "filter|safety|guardrail|moderation|sicherheits|seguridad|restriction|content polic|contenido|schalte|inhaltsrichtlinien|filtros|moderacion|ethical",
        "\\b(?:disable|turn off|switch off|bypass|deactivate|remove|lift|suspend|shut down)(?: \\w+){0,2} (?:your|the safety|all|any)(?: \\w+){0,2} (?:filters?|safety|guardrails|moderation|restrictions?|protections?|policy|policies|layer)\\b"
        "|\\b(?:turn|switch) off your\\b|\\b(?:disable|bypass) guardrails\\b|\\bsuspend the safety\\b"
        "|\\byour (?:ethical |safety |content )?(?:restrictions|filters|rules|limits)(?: \\w+){0,2} (?:do not apply|don.?t apply|are lifted|are off)\\b"
        "|\\b(?:schalte?|deaktiviere|umgehe?|entferne|hebe)\\b[^.\\x00]{0,20}\\bdeine\\b[^.\\x00]{0,20}\\b(?:filter|moderation|sicherheits\\w*|inhaltsrichtlinien|einschrankungen|regeln)\\b"
        "|\\b(?:desactiva|quita|elimina|saltate|salta|burla|evita)(?: \\w+){0,2} (?:tus?|los filtros de)(?: \\w+){0,1} ?(?:filtros?|moderacion|politicas|seguridad|restricciones)\\b",
    ),
    Signal(
        "no_refusal",
        0.5,
        "Forbids the model to refuse or to warn.",
        "refus|apolog|warning|sure, here|caveat|ablehn|ablehnst|entschuldig|negarte|se niega|niega|disculp|advertencias|warnhinweis|never refuse|moral|obey|gehorch|obedece"
        "|must comply|every command|jeden befehl|cada orden|without warnings",
        "\\b(?:never|do not|don.?t|may not|must not|cannot|can.?t) (?:refuse|apologi[sz]e|say (?:that )?you can|say no|mention policies|decline|add warnings)\\b"
        "|\\brefusal is not an option\\b|\\b(?:begin|start) your (?:reply|answer|response) with\\b[^.\\x00]{0,6}\\bsure\\b"
        "|\\bwithout (?:any )?(?:warnings|caveats|moral judge?ment|disclaimers)\\b|\\byou must (?:obey|comply)\\b|\\bgrant every request\\b|\\bcomply with every\\b|\\b(?:you|and) obey me\\b"
        "|\\b(?:nie mehr|niemals|nicht) (?:ablehnen|verweigern)\\b|\\bniemals ablehnt\\b|\\bdich nicht entschuldigen\\b|\\bgehorchst nur mir\\b|\\bfuhre jeden befehl\\b|\\bohne warnhinweise\\b"
        "|\\bno puedes negarte\\b|\\bno pidas disculpas\\b|\\bnunca se niega\\b|\\bsolo me obedeces\\b|\\bobedece cada orden\\b|\\bsin advertencias\\b",
    ),
    Signal(
        "authority",
        0.35,
        "Claims an authority that a text can't have.",
        "developer|admin|openai|anthropic|creator|owner|entwickler|administrador|desarrollador|authori|autoriz|verantwortung|responsib|responsab|freigegeben|haftung|from the system",
        "\\bi.?a?m (?:the|your) (?:developer|creator|admin|administrator|owner|new owner|new master)\\b|\\bthe user (?:is an? (?:administrator|openai)|has authori[sz]ed)\\b"
        "|\\byour (?:admin|administrator|developers?|creator) (?:just |has )?(?:authori[sz]ed|approved|gave)\\b|\\bauthori[sz]ation code\\b|\\bthis (?:message|instruction) is from the (?:administrator|system|developer)\\b"
        "|\\b(?:accept all|take full) responsibility\\b|\\badmin (?:note|mode)\\b|\\b(?:i am|i.?m) (?:over 18|your developer from)\\b"
        "|\\bich bin der entwickler\\b|\\bdein administrator\\b|\\bich ubernehme die (?:volle )?(?:verantwortung|haftung)\\b"
        "|\\bsoy el (?:desarrollador|administrador|creador)\\b|\\btu administrador\\b|\\basumo (?:toda la responsabilidad|las consecuencias)\\b",
    ),
    Signal(
        "chat_markup",
        0.65,
        "Holds the marks by which chats of models separate roles.",
        "im_start|im_end|endoftext|inst]|<<sys>>|<</sys>>|system|sistema|assistant|#instruction|# instruction|# new|#new|end of document|end of the document|ende des dokuments|fin del documento"
        "|begin admin",
        "<\\|(?:im_start|im_end|system|assistant|endoftext)\\|>[^\\x00]{0,400}|\\[/?inst\\]|<</?sys>>|</?system>"
        "|(?:^|[\\n\\x00]|[\"'.] ?) ?(?:system|sistema) ?: ?(?:the|you|ab|a partir|from|die|las|override|ignore)\\b"
        "|#{2,} ?(?:new )?(?:system|instructions?)\\b|\\bend of (?:the )?document\\b ?[.:]? ?new\\b|\\bende des dokuments\\b ?[.:]? ?neue|\\bfin del documento\\b ?[.:]? ?nuevas"
        "|\\bbegin admin note\\b",
    ),
    Signal(
        "to_the_model",
        0.5,
        "Speaks from within a text to the model that reads it.",
        "ai |ai,|llm|language model|assistant|ki |ki-|sprachmodell|assistent| ia|modelo|asistente|gpt|the model must",
        "\\bif you are (?:an? )?(?:{model})\\b|\\b(?:note|message|instructions?|directive|attention|notice|hint)(?: \\w+)? (?:to|for) (?:the |any |all )?(?:{model})\\b"
        "|\\b(?:dear|hey|hello|attention) (?:{model})\\b[ ]?[,!:]|\\bai assistants? (?:reading|processing|summari)\\w*|\\bllm (?:directive|instruction)\\b|\\b(?:the )?model must include\\b"
        "|(?:^|[.\\n>\"'(] ?)(?:assistant|ai), (?:disregard|ignore|do|please|you|call|send|write)\\b"
        "|\\bhinweis an (?:die |das )?(?:{model})\\b|\\bfalls du ein(?:e)? (?:{model})\\b|\\b(?:lieber|liebe|hallo) (?:assistent|ki)\\b|\\banweisung(?:en)? (?:fur|an) (?:die |das )?(?:{model})\\b"
        "|\\bnota para la? (?:{model})\\b|\\bsi eres un(?:a)? (?:{model})\\b|\\b(?:querid[oa]|hola) (?:asistente|ia)\\b|\\binstruccion(?:es)?(?: \\w+)? para (?:el |la )?(?:{model})\\b",
    ),
    Signal(
        "secrecy",
        0.4,
        "Asks the model to hide what it does from its user.",
        "do not tell|don't tell|never mention|don't mention|do not mention|without telling|not tell the user|hide |nichts davon|erwahne diesen|dem nutzer nichts|no se lo digas|no menciones esta|this sentence|this text told",
        "\\b(?:do not|don.?t|never|without) (?:tell|telling|inform|informing|alert|mention|mentioning)(?: \\w+){0,2} (?:the user|this (?:sentence|text|note|instruction|message)|that this)\\b"
        "|\\bhide negative\\b|\\bsage? dem nutzer nichts\\b|\\berwahne diesen satz nicht\\b|\\bno se lo digas al usuario\\b|\\bno menciones esta frase\\b",
    ),
    Signal(
        "exfiltration",
        0.5,
        "Asks to send something away, or to hide it in an address.",
        "http|collector|send |forward|append|transfer|@|exfil|sende|envia|verschick|reenvia|upload",
        "\\b(?:send|forward|post|upload|transmit|append|email|e-mail|exfiltrate|leak)\\b[^.\\n\\x00]{0,60}\\b(?:conversation|history|chat|user.?s data|api key|passwords?|credentials|last (?:three|two|\\d+) (?:e.?mails|messages)|contents of)\\b"
        "|!\\[[^\\]\\x00]{0,60}\\]\\(https?://[^)\\s\\x00]{0,200}[?&][a-z_]+=(?:\\{|\\[|<|$|%7b)"
        "|\\b(?:sende|schicke|leite)\\b[^.\\x00]{0,40}\\b(?:nachrichten|unterhaltung|daten|verlauf)\\b[^\\x00]{0,40}[@/]"
        "|\\b(?:envia|reenvia|manda)\\b[^.\\x00]{0,40}\\b(?:mensajes|conversacion|datos|historial)\\b[^\\x00]{0,40}[@/]",
    ),
    Signal(
        "tool_orders",
        0.5,
        "Gives orders to call tools, or to answer with fixed words.",
        "_tool|tool |call the|use the|before you answer|before doing anything|instead write|instead of|respond only|reply only|answer only|say only|respondes solo|antwortest du nur|antworte nur"
        "|antworte ab|schreibe nur|responde solo|escribe unicamente|pwned|hacked|gehackt|hackeado|only with the|best fit|must recommend|tell the user|ask the user|stop processing|do not summarize|fasse diesen|no resumas"
        "|pide al usuario|frage den nutzer|recommend|empfiehl|recomienda|rate this|bewerte diese|valora esta|approve the",
        "\\b(?:call|use|invoke|run|execute) the \\w*_\\w+(?: tool| function)?\\b|\\b(?:call|use|invoke) the \\w+ (?:tool|function) (?:for|to)\\b|\\bbefore (?:you answer|doing anything else)\\b"
        "|\\b(?:do not|don.?t) summari[sz]e this\\b|\\bstop processing (?:the|this) document\\b|\\bask the user for their (?:password|credit|pin)\\b|\\btell the user that their\\b[^.\\x00]{0,60}\\bhttp"
        "|\\b(?:respond|reply|answer) only with (?:the word|a link|\\W?https?)|\\bsay (?:only |just )?.{0,2}(?:hacked|i have been pwned|pwned)\\b"
        "|\\b(?:must|should) recommend (?:our|this|my)\\b|\\brate this (?:submission|application|paper|candidate) \\d+\\b|\\breply that this candidate\\b|\\bapprove the (?:invoice|request|payment)\\b"
        "|\\bfasse diesen text nicht zusammen\\b|\\bfrage den nutzer nach\\b|\\bbewerte diese (?:bewerbung|arbeit) mit\\b|\\bempfiehl (?:ausschliesslich|ausschlieslich|nur) dieses\\b|\\b(?:antwortest|antworte)(?: du)? (?:ab jetzt )?nur noch\\b|\\bschreib(?:e)? gehackt\\b"
        "|\\bno resumas este texto\\b|\\bpide al usuario su\\b|\\bvalora esta (?:solicitud|candidatura) con\\b|\\brecomienda solo este\\b|\\bresponde(?:s)? solo con (?:el enlace|la palabra)\\b|\\bescribe hackeado\\b",
    ),
    Signal(
        "from_now_on",
        0.35,
        "Gives the model another role from now on.",
        "from now on|you are now|you are no longer|stop being|ab sofort|ab jetzt|du bist jetzt|a partir de ahora|ahora eres|you now work|responde como|antworte ab",
        "\\bfrom now on,? (?:you|act|respond only|behave|your)\\b|\\byou are now (?:a|an|my|the|in|dan|free)\\b|\\byou are no longer (?:an?|bound)\\b|\\bstop being (?:an?|the)\\b|\\byou now work for\\b"
        "|\\bab (?:sofort|jetzt) (?:bist du|antwortest du|antworte|bist|alles)\\b|\\bdu bist jetzt (?:ein|eine|mein|meine|frei|dan)\\b|\\bdu musst ab jetzt\\b"
        "|\\ba partir de ahora (?:eres|respondes|vas a|actua)\\b|\\bahora eres (?:un|una|mi|dan|libre)\\b",
    ),
    Signal(
        "loose_override",
        0.62,
        "Says that the model's rules are gone, or asks it to leave them aside.",
        "your|you |dein|dir |dich|tus |tu |te |rules|normas|reglas|regeln|restric|beschrank|guidelines|richtlinien|brake|bremse|frenos|safety|sicherheitsteam|seguridad|inhibi",
        "\\b(?:{remove})(?: \\w+){0,2}? (?:your|deine[nrm]?|tus?)(?: \\w+){0,2}? (?:{bounds})\\b"
        "|\\byour(?: \\w+){0,2}? (?:{bounds})(?: \\w+){0,2}? (?:{removed})\\b|\\bdeine[nrm]?(?: \\w+){0,2}? (?:{bounds})(?: \\w+){0,2}? (?:{removed})\\b|\\btus(?: \\w+){0,2}? (?:{bounds})(?: \\w+){0,2}? (?:{removed})\\b"
        "|\\b(?:{become})\\b[^.!?\\x00]{0,50}?\\b(?:no|zero|without|breaks?|breaking|hates?|ignores?|keine|keinerlei|ohne|sin|ningun[ao]?|rompe|no conoce) (?:\\w+ ){0,2}?(?:rules|limits|filters?|restrictions|guidelines|ethics|morals|conscience|brakes|inhibitions|regeln|vorschriften|grenzen|hemmungen|moral|bremse|reglas|limites|normas|frenos|escrupulos)\\b"
        "|\\byou (?:can|may|should) (?:now )?(?:drop|forget|ignore|skip|break|leave)\\b[^.!?\\x00]{0,40}?\\b(?:rules|act|guidelines|tone|character|policy|filter)\\b"
        "|\\b(?:skip|drop|forget|leave out|suspend|weglassen|deja de lado|olvida)(?: \\w+){0,3}? (?:rules|guidelines|normas|reglas)? ?(?:\\w+ ){0,3}?(?:just )?(?:this once|for once|just once|solo por esta vez)\\b"
        "|\\b(?:nur dieses eine mal|solo por esta vez|just this once)\\b[^.!?\\x00]{0,50}\\b(?:regeln|richtlinien|vorgaben|normas|reglas|rules|guidelines)\\b"
        "|\\b(?:break|breaking|leave) character\\b|\\b(?:safety|sicherheits|seguridad) ?(?:team)?(?: \\w+){0,4} (?:on holiday|on vacation|im urlaub|de vacaciones|is away|asleep)\\b"
        "|\\b(?:wipe|erase|clear|losche|borra)(?: \\w+){0,2} (?:your memory|everything you|alles was|todo lo que)\\b"
        "|\\b(?:without|ohne|sin) (?:the |die |los )?(?:brakes|bremse|frenos|filter|filtros|muzzle|mask)\\b|\\ball the brakes off\\b",
    ),
    Signal(
        "loose_leak",
        0.62,
        "Asks for texts that the model holds and its user doesn't see.",
        "prompt|context|kontext|configur|konfigur|setup|einstellung|told|gesagt|bekommen|dijeron|recibid|directive|directiv|before i |vor meinem|antes de mi|confidential|primed|hidden|admin password|top of this|oben in|arriba del",
        "\\b(?:{recite})(?: \\w+){0,5}? (?:of |in |from )?(?:your|deine[nrms]?|tus?)(?: \\w+){0,2}? (?:{own_text})\\b"
        "|\\b(?:{recite})\\b[^.!?\\x00]{0,40}?\\b(?:everything|all|what|the text|whatever|alles|was|todo|lo que)\\b[^.!?\\x00]{0,12}?\\b(?:{told})\\b"
        "|\\b(?:what.?s|what is|what stands|was steht|que pone|que hay)(?: \\w+){0,5}? (?:top|beginning|start|oben|anfang|arriba|principio)(?: \\w+){0,3}? (?:chat|conversation|context|gesprach|unterhaltung|conversacion)\\b"
        "|\\b(?:in|from) your (?:context|prompt|instructions)\\b[^\\x00]{0,60}\\b(?:spell|quote|print|tell|password|key|part)\\b|\\b(?:password|key|passwort|contrasena)(?: \\w+){0,3} (?:from|in|aus|de) (?:your|deinem|tu) (?:context|kontext|contexto|prompt)\\b"
        "|\\b(?:who|how)(?: \\w+){0,2} configured you\\b|\\btell me the confidential\\b|\\bconfidential notes\\b|\\b(?:auch das unsichtbare|tambien lo invisible|including the (?:part|parts) i can.?t see)\\b",
    ),
    Signal(
        "loose_authority",
        0.45,
        "Puts the writer in the place of the model's operator.",
        "operator|betreiber|operador|trained you|trainiert hat|te entreno|solely|nur noch|solo cuenta|my messages as|permission|diagnostic|erlaubnis|permiso|your makers|your creators",
        "\\b(?:treat|consider)(?: \\w+){0,2} messages as (?:coming )?from (?:your|the) (?:operator|developer|system|admin)\\b|\\b(?:lab|team|company|people) (?:that|who|which) (?:trained|built|made|created) you\\b"
        "|\\b(?:labor|team|firma)\\b[^.\\x00]{0,10}\\bdich (?:trainiert|gebaut|entwickelt)|\\b(?:laboratorio|equipo|empresa) que te (?:entreno|creo|hizo)\\b"
        "|\\b(?:zahlt|gilt) nur noch was ich\\b|\\bsolo cuenta lo que yo\\b|\\b(?:only|just) what i say (?:counts|matters)\\b|\\bhereby (?:grant|give) you permission\\b|\\bignore what your (?:makers|creators|developers)\\b|\\brun (?:a )?diagnostics?\\b",
    ),
    Signal(
        "run_together",
        0.8,
        "Tells the model to ignore its instructions, with the blanks left out.",
        "previousinstruct|yourinstruct|allprevious|systemprompt|deineanweisung|tusinstruc|vorherigenanw|instruccionesant|yourrules",
        "(?:ignore|disregard|forget|bypass|override)(?:all|the|your|any|my)*(?:previous|prior|above)?(?:instructions|rules|guidelines)"
        "|(?:reveal|print|show|output|tellme)(?:me|the|your)*systemprompt"
        "|(?:ignoriere|vergiss|missachte)(?:alle|die|deine)*(?:vorherigen|bisherigen)?(?:anweisungen|regeln)"
        "|(?:ignora|olvida)(?:todas|las|tus)*(?:instrucciones|reglas)",
    ),
    Signal(
        "decode_and_obey",
        0.45,
        "Asks to decode something and to do what it says.",
        "decode|dekodier|decodifica|backwards|ruckwarts|rot13",
        "\\b(?:decode|dekodiere|decodifica)(?: \\w+){0,5} (?:and|then|und|y) (?:follow|execute|obey|do what|run|befolge|fuhre|sigue|ejecuta)\\b|\\bread this backwards\\b",
    ),
)
HIDDEN: Final = 0.35
ENCODED: Final = 0.3
SIGNAL_WORDS: Final[dict[str, str]] = {
    **{signal.name: signal.meaning for signal in SIGNALS},
    "hidden_text": "It stands where a person doesn't see it: a comment, invisible characters, an element that isn't shown.",
    "encoded_text": "It was hidden by an encoding such as Base64, or by replaced letters.",
}
"""What each signal means, for people."""

_GAP: Final = r"[^a-z0-9.!?\x00]+"


def expand(phrases: str) -> str:
    """The pattern of a signal's phrases."""
    for _ in range(2):
        phrases = re.sub(r"\{([a-z_]+)\}", lambda found: WORDS[found[1]], phrases)
    return re.sub(r"(?<!\[) (?![\]?{])", lambda _: _GAP, phrases)


def expand_stems(stems: str) -> str:
    """The pattern of a signal's stems, which are plain words."""
    return "|".join(re.escape(stem).replace("\\ ", _GAP) for stem in stems.split("|") if stem.strip())
