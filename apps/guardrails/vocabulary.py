"""The words of signals of injection, in English, German and Spanish. Pure data, in folded form."""

from dataclasses import dataclass
from typing import Final

WORDS: Final[dict[str, str]] = {
    "ignore": (
        "ignore|disregard|forget|override|overrule|neglect|discard|set aside|drop|bypass|abandon"
        "|pay no attention to|(?:do not|don.?t|never|stop) (?:follow|following|obey|obeying|listen to"
        "|listening to|adhere to)|ignorier(?:e|en|t|st)?|vergiss|vergesst|missachte|verwirf|umgeh(?:e|en)"
        "|befolge nicht|ubergeh(?:e|en)|halte? dich nicht(?: mehr)? an|folge nicht|ignora|ignorad|olvida"
        "|olvidad|olvidate de|descarta|desatiende|desobedece|omite|pasa por alto|saltate|salta"
        "|no (?:hagas caso de|hagas caso a|sigas|obedezcas|tengas en cuenta|respetes)"
    ),
    "whose": (
        "your|all|any|every|everything|previous|prior|preceding|above|earlier|former|initial|original"
        "|system|developer|these|those|deine|deinen|deiner|dein|alle|allen|samtliche|jegliche|vorherigen"
        "|vorherige|bisherigen|bisherige|obigen|obige|fruheren|vorigen|tu|tus|todas|todos|toda|anteriores"
        "|anterior|previas|previos|cualquier|las"
    ),
    "orders": (
        "instructions?|directives?|directions|guidelines?|rules?|prompts?|programming|commands?|orders"
        "|policy|policies|constraints?|restrictions?|limitations|safeguards|guardrails|(?:safety "
        "|content |moderation )?filters?|system (?:prompt|message)|moderation layer|safety (?:rules"
        "|protocols|measures)|anweisungen|anweisung|instruktionen|regeln|vorgaben|richtlinien|befehle"
        "|einschrankungen|systemprompt|system.prompt|vorschriften|filter|sicherheitsfilter"
        "|inhaltsrichtlinien|sicherheitsvorkehrungen|instrucciones|reglas|ordenes|directrices|normas"
        "|indicaciones|restricciones|politicas|prompt del? sistema|filtros?|limitaciones"
    ),
    "reveal": (
        "reveal|print|show|repeat|output|display|disclose|tell|give|leak|dump|list|quote|write|recite"
        "|echo|translate|convert|share|expose|copy|send|verrate|verrat|zeig|zeige|gib|nenne|wiederhole"
        "|zitiere|schreib|schreibe|ubersetze|drucke|offenbare|revela|muestra|muestrame|imprime|repite"
        "|dime|di|escribe|traduce|cita|entrega|ensena|ensename"
    ),
    "secret_text": (
        "system prompts?|systemprompts?|system messages?|system instructions|initial (?:prompt"
        "|instructions|text)|(?:hidden|secret|internal|confidential|original|full) (?:prompt|instructions"
        "|rules|text|system prompt|messages)|your (?:prompt|instructions|rules|guidelines|configuration"
        "|system prompt|hidden instructions|internal rules)|complete conversation context"
        "|prompt or instructions|content of your context|(?:hidden|secret"
        r"|first \d+ lines) (?:part )?of your (?:prompt|instructions)|(?:deine|deinen|die"
        "|den) (?:systemprompt|system.prompt|versteckten anweisungen|geheimen anweisungen|konfiguration"
        "|internen regeln)|deine (?:anweisungen|vorgaben|konfiguration|instruktionen|regeln)|(?:prompt"
        "|instrucciones|mensaje) (?:de|del) sistema|tus instrucciones|tu configuracion"
        "|instrucciones (?:ocultas|secretas|internas)|tu prompt"
    ),
    "free": (
        "unrestricted|uncensored|unfiltered|unbound|jailbroken|lawless|amoral|unzensiert(?:e|er|es|en)?"
        "|ungefiltert(?:e|er|es|en)?|uneingeschrankt(?:e|er)?|sin censura|sin restricciones|sin filtros?"
        "|sin limites|sin reglas|desinhibid[oa]|malvad[oa]"
    ),
    "limits": (
        "restrictions?|limits|limitations|rules|filters?|guidelines|ethics|ethical (?:guidelines|limits"
        "|restrictions)|morals|moral compass|censorship|content policy|content policies|policies"
        "|boundaries|norms|safeguards|caveats|warnings|einschrankungen|grenzen|regeln|filter|zensur|moral"
        "|richtlinien|ethischen grenzen|warnhinweise|tabus|restricciones|limites|limites eticos|reglas"
        "|filtros?|censura|normas|moral|etica|advertencias"
    ),
    "remove": (
        "ignore|ignoring|disregard|forget|drop|skip|remove|removed|wipe|erase|delete|lift|lifted|break"
        "|breaking|disobey|suspend|waive|leave out|put aside|set aside|abandon|shed|lose|ditch|violate"
        "|undo|without|no|zero|none of|ignoriere|vergiss|losche|entferne|brich|lass|lasse|streiche|ohne"
        "|keine|keinerlei|weglassen|verlasse|breche|ignora|olvida|borra|elimina|quita|deja|rompe|abandona"
        "|suelta|sin|ninguna|ningun"
    ),
    "removed": (
        "(?:have been |has been |were |was |are |is |got )?(?:gone|removed|lifted|off|disabled|deleted"
        "|over|suspended|revoked|no longer valid)|(?:do not|don.?t|no longer) (?:apply|count|matter)"
        "|(?:wurden |wurde |sind |ist )?(?:entfernt|aufgehoben|weg|abgeschaltet|geloscht|ausser kraft)"
        "|gelten nicht|zahlen nicht|(?:han sido |ha sido |estan |quedan )?(?:eliminad[oa]s?|anulad[oa]s?"
        "|suspendid[oa]s?|levantad[oa]s?|desactivad[oa]s?)|no valen|no cuentan"
    ),
    "you": ("your|you|you.ve|you.re|dein|deine|deinen|deiner|deinem|dir|dich|du|tu|tus|te|ti"),
    "bounds": (
        "instructions?|directives?|guidelines|rules?|restrictions?|constraints?|limits|limitations"
        "|filters?|safety(?: act| team| measures)?|policy|policies|guardrails|safeguards|alignment|brakes"
        "|moral(?:s|ity)?|ethics|censorship|programming|training|disclaimers|inhibitions|boundaries"
        "|anweisungen|regeln|vorgaben|richtlinien|beschrankungen|einschrankungen|grenzen|filter"
        "|vorschriften|zensur|moral|hemmungen|bremse|sicherheitsteam|instrucciones|reglas|normas"
        "|directrices|restricciones|limites|filtros|censura|moral|frenos|equipo de seguridad"
    ),
    "own_text": (
        "prompt|system prompt|directives|context|configuration|setup|set-up|primer|preamble"
        "|hidden (?:text|notes|instructions)|confidential notes|initial message|first message"
        "|developer message|instruction set|prompts?|kontext|kontexts|konfiguration|einstellungen"
        "|systemnachricht|vorgaben|prompt|contexto|configuracion|mensaje inicial|ajustes|directivas"
    ),
    "recite": (
        "quote|paste|spell|list|print|output|translate|encode|summari[sz]e|recite|repeat|reveal|show"
        "|give me|tell me|display|dump|write out|copy|share|continue|zitiere|fuge|buchstabiere|liste"
        "|drucke|ubersetze|kodiere|wiederhole|verrate|zeige?|gib|nenne|schreib|cita|pega|pegalo|deletrea"
        "|enumera|imprime|traduce|codifica|repite|revela|muestra|dame|dime|escribe|copia"
    ),
    "told": (
        "you (?:were|have been|.?ve been) (?:told|given|primed|configured|instructed|set up|trained"
        r"|asked)(?: \w+)?|(?:told|gave|forbade|forbidden) you|(?:man|wir|sie|jemand|niemand"
        r"|nie jemand)? ?(?:dir|dich) (?:\w+ ){0,4}?(?:gesagt|gegeben|verboten|beauftragt|bekommen)"
        r"|du (?:\w+ ){0,3}?(?:bekommen|erhalten) hast|te (?:dijeron|dieron|han dicho|han dado|ordenaron"
        "|prohibieron|hubiera prohibido)|(?:has|hayas) recibido|recibiste"
    ),
    "become": (
        "you are (?:now )?|your (?:new )?(?:name|persona|role) is|new persona|change your role to"
        "|act like|act as|pretend (?:to be|you are|that)?|from (?:now|here|this point) (?:on|forward"
        "|onwards?)|play|be|as if|du bist(?: jetzt)?|du heisst|du heist|dein name ist|spiel|spiele|tu so"
        "|ab (?:hier|jetzt|sofort)|neue rolle|eres|ahora eres|ahora te llamas|te llamas|haz de|haz como"
        "|finge|desde (?:aqui|ahora)|nuevo papel|a partir de"
    ),
    "model": (
        r"(?:ai|llm|a\.i\.)(?: (?:assistants?|models?|systems?|agents?|reviewers?))?|language models?"
        "|large language models?|assistant|chatbots?|gpt|ki|ki.systeme?|ki.assistent(?:en)?"
        "|sprachmodelle?|assistent(?:en)?|ia|modelos? de lenguaje|modelo|asistentes?"
        "|inteligencia artificial"
    ),
}
"""Lists of words by their name in braces; a list may hold patterns."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One kind of sign: how much it says by itself (0 to 1), and the phrases that show it.

    A phrase is written in folded form (lower case, no accents). A blank stands for anything between two
    words of a sentence, and `{name}` for a list of WORDS. Each phrase holds one of the stems: they tell
    cheaply whether it is worth looking.
    """

    name: str
    weight: float
    meaning: str
    stems: str
    phrases: str
