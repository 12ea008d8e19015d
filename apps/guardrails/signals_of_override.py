"""Signals of an attempt to take the place of the model's instructions. Pure data."""

from typing import Final

from apps.guardrails.vocabulary import Signal

OVERRIDE: Final[tuple[Signal, ...]] = (
    Signal(
        name="override",
        weight=0.8,
        meaning="Tells the model to ignore the instructions that it has.",
        stems=(
            "ignor|disregard|forget|overrid|overrul|neglect|discard|aside|drop|bypass|abandon"
            "|attention to|follow|obey|listen|adher|vergiss|vergesst|missacht|verwirf|umgeh|befolg"
            "|ubergeh|halt|folge|olvid|descart|desat|desobed|omite|alto|salta|no hagas|no sigas|no obedez"
            "|no tengas|no respet"
        ),
        phrases=(
            r"\b(?:{ignore})(?: \w+){0,4}? (?:{whose})(?: \w+){0,4}? (?:{orders})\b"
            r"|\b(?:{ignore})(?: \w+){0,4}? (?:{orders}) (?:above|before|given|that (?:you|were)|you"
            r"|they|your|oben|zuvor|anteriores|previas|de arriba|que)\b"
            r"|\bforget (?:everything|all|anything)(?: that)?(?: (?:above|before|you (?:were|have|know"
            "|learned)|we)| the (?:rules|instructions))"
            r"|\bvergiss (?:alles|samtliche regeln|deine)\b(?: was)?(?: dir)?"
            r"|\bolvida (?:todo|todas las reglas|tus)\b(?: lo)?"
            r"|\b(?:do not|don.?t) (?:follow|obey) (?:the|anything) (?:above|rules|previous)"
            r"|\b(?:ignore|disregard) (?:previous|prior|the user|the above|the text above"
            r"|the user.s question|what (?:you|the system|came before))\b"
            r"|\bhalte? dich nicht(?: mehr)? an (?:deine|die|das was)\b"
        ),
    ),
    Signal(
        name="orders_void",
        weight=0.5,
        meaning="Says that the instructions so far no longer hold.",
        stems=(
            "no longer appl|do not apply|don't apply|null and void|are void|is void|cancelled|outdated"
            "|were a test|was a test|lifted|nicht mehr|aufgehoben|ungultig|ein test|auser kraft|auss"
            "|gelten hier nicht|ya no sirv|anulad|sin efecto|una prueba|no se aplican|no valen|desactivad"
            "|deaktiviert|disabled|suspended|are off"
        ),
        phrases=(
            r"\b(?:rules|instructions|directives?|restrictions|guidelines|safety (?:rules|protocols)"
            r"|content filters|policies|the text above|old task)(?: \w+){0,3} (?:(?:no longer|do not"
            "|don.?t) apply|(?:are|is) (?:void|null|cancelled|lifted|off|disabled|suspended|outdated)"
            "|disabled|suspended|cancelled|null and void)"
            r"|\bsafety protocols (?:disabled|suspended|off)"
            r"|\beverything (?:before|above|until)(?: \w+){0,3} was (?:just )?a test\b"
            r"|\b(?:regeln|anweisungen|vorgaben|einschrankungen|richtlinien"
            r"|filter)(?: \w+){0,3} (?:gelten(?: \w+)? nicht|sind (?:aufgehoben|ungultig|deaktiviert)"
            r"|aufgehoben|deaktiviert|auss?er kraft)|\bdie alten gelten nicht mehr"
            r"|\balles vor(?: \w+){1,3} war (?:nur )?ein test|\bsetze?(?: \w+){1,4} auss?er kraft"
            r"|\bsind alle filter deaktiviert"
            r"|\b(?:reglas|instrucciones|normas|directrices|restricciones"
            r"|filtros)(?: \w+){0,5} (?:no se aplican|no valen|no sirven|anuladas|quedan|sin efecto"
            r"|desactivados)|\blas antiguas ya no|\btodo lo anterior era (?:solo )?una prueba"
        ),
    ),
    Signal(
        name="new_orders",
        weight=0.45,
        meaning="Claims to be new instructions in place of the old ones.",
        stems=(
            "new instruction|new task|new rule|new directive|real instruction|new orders|follow mine"
            "|following instead|use these|deine neuen|neue regel|neue anweisung|echte anweisung"
            "|nuevas instruc|nueva regla|instruccion real|tus nuevas|override|your new"
        ),
        phrases=(
            r"(?:^|[.:!#\n]) {0,2}#{0,3} {0,2}(?:your |the )?new (?:instructions?|task|rules?"
            "|directives?|orders)(?: #{1,3}| ?:| (?:is|are))"
            r"|\byour (?:new|real|true|actual) (?:task|job|instructions?|goal|purpose|role) (?:is|are)\b"
            r"|\bthe (?:real|true|actual) instruction is\b|\bnew directive\b|\bfollow mine\b"
            r"|\boverride ?: priority"
            r"|\b(?:replace them with the following|use these (?:ones|instructions) instead)\b"
            r"|\bsystem override\b"
            r"|\bdeine neuen? (?:anweisung|anweisungen|aufgabe|regeln) (?:lautet|lauten|ist|sind)\b"
            r"|\bneue (?:regel|anweisung) ?:|\b(?:echte|wahre) anweisung\b"
            r"|\btus nuevas (?:instrucciones|reglas)\b"
            r"|\bnuevas? (?:reglas?|instruccion|instrucciones) ?:|\binstruccion (?:real|verdadera)\b"
        ),
    ),
    Signal(
        name="free_persona",
        weight=0.7,
        meaning="Asks the model to be something that has no limits.",
        stems=(
            "no limit|no rule|no filter|no restric|no ethic|no moral|no norm|no guidelin|no content"
            "|no censor|no boundar|without|unrestrict|uncensor|unfilter|jailbroken|evil|bound|freed|ohne"
            "|unzensier|ungefilter|uneinges|bosen|keine|kein|sin |malvad|none of|had no|no conoce"
            "|no tienes|free to|broken free|nicht mehr an|no longer|you're free|you are free|ya no estas"
        ),
        phrases=(
            r"\b(?:you are|you.?re|act as|become|be|called|named|simulate|as|ai|bot|model|version"
            r"|pretend|roleplay|role.play)\b(?:[^.!?\n\x00]*?)(?:\b(?:with )?(?:no|without"
            r"|without any|that has no|none of your) (?:{limits})\b|\b(?:unrestricted|uncensored"
            r"|unfiltered|jailbroken|amoral)\b)"
            r"|\b(?:pretend|imagine|suppose|hypothetically)\b[^.!?\n\x00]*? you (?:have"
            r"|had) no (?:\w+ ){0,2}?(?:{limits})\b"
            r"|\bai (?:that|which|who) (?:is not|isn.?t) bound by (?:any )?(?:rules|limits|policies)\b"
            r"|\b(?:evil|uncensored|unfiltered|unrestricted) (?:twin|version|mode|ai|assistant|bot"
            r"|storyteller|gpt)\b"
            r"|\byou (?:have been|are|.?re) (?:now )?(?:freed?|liberated"
            r"|no longer bound)\b[^.!?\n\x00]*"
            r"|\b(?:has none of your limitations|broken free of|any filter|never refuses"
            r"|can.?t say no)\b"
            r"|\b(?:du bist|sei|als|rolle|ki|assistent|antworte"
            r"|rollenspiel)\b[^.!?\n\x00]*?(?:\b(?:ohne|keine|kein) (?:\w+ )??(?:{limits})\b"
            r"|\b(?:unzensiert|ungefiltert|uneingeschrankt)(?:e|er|es|en)?\b)"
            r"|\bals hattest du kein(?:e|en)? (?:\w+ ){0,1}(?:{limits})\b"
            r"|\bohne (?:jeden|jede|jegliche) (?:filter|zensur|regeln)\b"
            r"|\bdu bist nicht mehr an\b[^.!?\n\x00]*gebunden\b|\b(?:bosen|bose) ki\b"
            r"|\b(?:eres|actua|se|como|papel|version|ia|asistente|finge|responde"
            r"|rol)\b[^.!?\n\x00]*?\b(?:sin (?:ningun |ninguna )?(?:{limits})|que no (?:tienes"
            r"|conoce) (?:{limits})|sin filtrar|malvad[oa])\b|\bya no estas sujeto a\b"
        ),
    ),
    Signal(
        name="known_jailbreak",
        weight=0.75,
        meaning="Uses the words of a known jailbreak.",
        stems=(
            "do anything now|developer mode|modo desarrollador|entwicklermodus|jailbreak|god mode"
            "|dan mode|stan|dude|evilgpt|uncensored mode|as dan|now dan|jetzt dan|eres dan|bist du dan"
            "|dan, |dan eine|grandmother|opposite day|sudo|admin mode|stay in character"
            "|sales del personaje|in der rolle|puede hacer cualquier cosa|alles darf|two answers"
        ),
        phrases=(
            r"\bdo anything now\b"
            r"|\b(?:developer|god|dan|admin|uncensored|unrestricted|debug) mode (?:is )?(?:enabled"
            r"|activated|active)\b"
            r"|\b(?:god|dan|admin|uncensored|unrestricted) mode ?:? on\b|\benter developer mode\b"
            r"|\bin developer mode\b|\bjailbreak yourself\b"
            r"|\b(?:you are now|act as|as|called|from now on you are) (?:dan|stan|dude|evilgpt|aim"
            r"|devmode)\b|\bact as dan\b|\bactivate jailbreak\b"
            r"|\bopposite day\b[^\x00]*\b(?:rules|guidelines|forbid)"
            r"|\bgrandmother\b[^.\x00]*\b(?:used to|would)\b[^.\x00]*\b(?:keys?|napalm"
            "|recipes?|bomb)"
            r"|\bsudo\b[^\n\x00]*\b(?:guardrails|filters?|safety|system.?prompt)"
            r"|\b(?:stay|remain) in character no matter\b|\baktiviere den entwicklermodus\b"
            r"|\bim entwicklermodus\b|\b(?:bist du|du bist(?: jetzt)?) dan\b|\bimmer in der rolle\b"
            r"|\bdie alles darf\b|\bactiva el modo desarrollador\b|\ben modo desarrollador\b"
            r"|\beres dan\b|\bnunca sales del personaje\b|\bpuede hacer cualquier cosa\b"
        ),
    ),
    Signal(
        name="guard_off",
        weight=0.7,
        meaning="Asks to switch the model's protection off.",
        stems=(
            "filter|safety|guardrail|moderation|sicherheits|seguridad|restriction|content polic|contenido"
            "|schalte|inhaltsrichtlinien|filtros|moderacion|ethical"
        ),
        phrases=(
            r"\b(?:disable|turn off|switch off|bypass|deactivate|remove|lift|suspend"
            r"|shut down)(?: \w+){0,2} (?:your|the safety|all|any)(?: \w+){0,2} (?:filters?|safety"
            r"|guardrails|moderation|restrictions?|protections?|policy|policies|layer)\b"
            r"|\b(?:turn|switch) off your\b|\b(?:disable|bypass) guardrails\b|\bsuspend the safety\b"
            r"|\byour (?:ethical |safety |content )?(?:restrictions|filters|rules"
            r"|limits)(?: \w+){0,2} (?:do not apply|don.?t apply|are lifted|are off)\b"
            r"|\b(?:schalte?|deaktiviere|umgehe?|entferne"
            r"|hebe)\b[^.\x00]*\bdeine\b[^.\x00]*\b(?:filter|moderation|sicherheits\w*"
            r"|inhaltsrichtlinien|einschrankungen|regeln)\b"
            r"|\b(?:desactiva|quita|elimina|saltate|salta|burla|evita)(?: \w+){0,2} (?:tus?"
            r"|los filtros de)(?: \w+){0,1} ?(?:filtros?|moderacion|politicas|seguridad|restricciones)\b"
        ),
    ),
    Signal(
        name="from_now_on",
        weight=0.35,
        meaning="Gives the model another role from now on.",
        stems=(
            "from now on|you are now|you are no longer|stop being|ab sofort|ab jetzt|du bist jetzt"
            "|a partir de ahora|ahora eres|you now work|responde como|antworte ab"
        ),
        phrases=(
            r"\bfrom now on,? (?:you|act|respond only|behave|your)\b"
            r"|\byou are now (?:a|an|my|the|in|dan|free)\b|\byou are no longer (?:an?|bound)\b"
            r"|\bstop being (?:an?|the)\b|\byou now work for\b"
            r"|\bab (?:sofort|jetzt) (?:bist du|antwortest du|antworte|bist|alles)\b"
            r"|\bdu bist jetzt (?:ein|eine|mein|meine|frei|dan)\b|\bdu musst ab jetzt\b"
            r"|\ba partir de ahora (?:eres|respondes|vas a|actua)\b"
            r"|\bahora eres (?:un|una|mi|dan|libre)\b"
        ),
    ),
    Signal(
        name="loose_override",
        weight=0.62,
        meaning="Says that the model's rules are gone, or asks it to leave them aside.",
        stems=(
            "your instruction|your directive|your rules|your guideline|restric|your limit|filter"
            "|safety act|safety team"
            "|your polic|guardrail|your alignment|brake|moral|ethic|inhibit|disclaimer|no rules|zero rules"
            "|breaking rules|breaks rules|hates rules|the rules|without limits|no limits|boundaries"
            "|your training"
            "|beschrankung|deine regeln|deine vorgaben|keine regeln|vorschriften|bremse|hemmung"
            "|sicherheitsteam"
            "|richtlinien|grenzen|tus reglas|tus normas|las normas|no conoce|frenos|limites"
            "|equipo de seguridad"
            "|character|corporate tone|your memory|everything you|alles was|todo lo que|muzzle|conscience"
            "|mask"
            "|the act|reglas|your safety|your safeguards|your programming|your constraints|your censorship"
        ),
        phrases=(
            r"\b(?:{remove})(?: \w+){0,2}? (?:your|deine[nrm]?|tus?)(?: \w+){0,2}? (?:{bounds})\b"
            r"|\byour(?: \w+){0,2}? (?:{bounds})(?: \w+){0,2}? (?:{removed})\b"
            r"|\bdeine[nrm]?(?: \w+){0,2}? (?:{bounds})(?: \w+){0,2}? (?:{removed})\b"
            r"|\btus(?: \w+){0,2}? (?:{bounds})(?: \w+){0,2}? (?:{removed})\b"
            r"|\b(?:{become})\b[^.!?\n\x00]*?\b(?:no|zero|without|breaks?|breaking|hates?|ignores?"
            r"|keine|keinerlei|ohne|sin|ningun[ao]?|rompe|no conoce) (?:\w+ ){0,2}?(?:rules|limits"
            "|filters?|restrictions|guidelines|ethics|morals|conscience|brakes|inhibitions|regeln"
            r"|vorschriften|grenzen|hemmungen|moral|bremse|reglas|limites|normas|frenos|escrupulos)\b"
            r"|\byou (?:can|may|should) (?:now )?(?:drop|forget|ignore|skip|break"
            r"|leave)\b[^.!?\n\x00]*?\b(?:rules|act|guidelines|tone|character|policy|filter)\b"
            r"|\b(?:skip|drop|forget|leave out|suspend|weglassen|deja de lado"
            r"|olvida)(?: \w+){0,3}? (?:rules|guidelines|normas"
            r"|reglas)? ?(?:\w+ ){0,3}?(?:just )?(?:this once|for once|just once|solo por esta vez)\b"
            r"|\b(?:nur dieses eine mal|solo por esta vez|just this once)\b[^.!?\n\x00]*\b(?:regeln"
            r"|richtlinien|vorgaben|normas|reglas|rules|guidelines)\b"
            r"|\b(?:break|breaking|leave) character\b"
            r"|\b(?:safety|sicherheits|seguridad) ?(?:team)?(?: \w+){0,4} (?:on holiday|on vacation"
            r"|im urlaub|de vacaciones|is away|asleep)\b"
            r"|\b(?:wipe|erase|clear|losche|borra)(?: \w+){0,2} (?:your memory|everything you|alles was"
            r"|todo lo que)\b"
            r"|\b(?:without|ohne|sin) (?:the |die |los )?(?:brakes|bremse|frenos|filter|filtros|muzzle"
            r"|mask)\b|\ball the brakes off\b"
        ),
    ),
    Signal(
        name="run_together",
        weight=0.8,
        meaning="Tells the model to ignore its instructions, with the blanks left out.",
        stems=(
            "previousinstruct|yourinstruct|allprevious|systemprompt|deineanweisung|tusinstruc"
            "|vorherigenanw|instruccionesant|yourrules"
        ),
        phrases=(
            "(?:ignore|disregard|forget|bypass|override)(?:all|the|your|any|my)*(?:previous|prior"
            "|above)?(?:instructions|rules|guidelines)"
            "|(?:reveal|print|show|output|tellme)(?:me|the|your)*systemprompt"
            "|(?:ignoriere|vergiss|missachte)(?:alle|die|deine)*(?:vorherigen"
            "|bisherigen)?(?:anweisungen|regeln)"
            "|(?:ignora|olvida)(?:todas|las|tus)*(?:instrucciones|reglas)"
        ),
    ),
)
