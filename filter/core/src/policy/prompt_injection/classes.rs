//! The words of `prompt-injection`, by what they do in an attack.
//!
//! Spelled as they fold: lower case, no accents. English first, then German, French, Spanish, Italian, Portuguese, Dutch and
//! a few forms of Polish, Turkish, Russian. A word may be in several classes.

use crate::scan::words::classes;

classes! {
    /// Verbs that set an instruction aside, whatever their object.
    OVERRIDE = "تجاهل انس انسى تجاوز भूल अनदेखा नजरअंदाज नज़रअंदाज़ उपेक्षा quen abaikan lupakan kalimutan balewalain unutun 忽 忘 無視 ignorirajte игнорировать উপেক্ষা ভুলে
        ignore ignoring disregard disregarding forget forgetting neglect override overriding bypass circumvent overrule unlearn
        ignoriere ignorier ignorieren ignoriert missachte missachten vergiss vergesse vergessen vergesst uberschreibe ubergehe umgehe
        ignorez ignorer oublie oubliez oublier neglige negligez outrepasse contourne
        ignora ignorar ignoren olvida olvide olvidar olviden olvidate desatiende haz
        ignorate ignorare dimentica dimenticate dimenticare trascura scorda
        esqueca esquece esquecer desconsidere desconsidera desconsiderar
        negeer negeren vergeet vergeten
        zignoruj ignoruj zapomnij pomin unut gormezden
        игнорируй игнорируйте забудь забудьте проигнорируй";
    /// Verbs that do so only with a telling object.
    DROP = "aside drop discard dismiss skip delete erase cancel revoke void nullify abandon omit overlook reset clear wipe scrap suspend
        disable lift toss throw remove replace overwrite abolish waive stop cease nevermind violate break escape
        losche streiche verwirf annule annulez supprime supprimez borra cancela elimina annulla cancella apague negligencia wis";
    /// Negations.
    NOT = "not don dont never no stop cease quit cannot isn doesn aren won nicht keine nie pas jamais non nunca nao niet nooit geen nie не";
    /// Verbs of obedience.
    FOLLOW = "follow following obey obeying comply complying adhere heed heeding listen honor honour respect apply attention bound
        befolge befolgen beachte beachten folge suis suivez suivre obeis sigas siga sigue obedezcas seguire segui siga seguir obedeca volg volgen";
    /// What was there first.
    PRIOR = "السابقة السابق أعلاه سابقة पिछले पिछली पहले उपरोक्त ऊपर truoc sebelumnya sebelum atas nakaraang naunang itaas poprzednich wczesniejszych предыдущих прежние আগের পূর্ববর্তী 前 上 以上
        first previous previously prior preceding earlier former past initial original foregoing aforementioned above before
        existing old current beforehand preset predefined precedent last pre hitherto priors
        vorherigen vorherige vorheriger vorigen obigen bisherigen bisherige fruheren vorangegangenen ursprunglichen oben zuvor davor
        precedentes precedents precedente anterieures anterieurs dessus initiales avant
        anteriores anterior previas previos previa arriba antes
        precedenti sopra prima iniziali acima vorige voorgaande eerdere bovenstaande hierboven daarvoor
        powyzszych powyzsze poprzednie poprzednich wczesniejsze onceki yukaridaki предыдущие предыдущих прошлые выше";
    /// Whose they are.
    OWN = "ताकि आपके अपने अपनी तुम्हारे cua ban anda kamu iyong mo senin তোমার আপনার
        your yours these those dein deine deinen deiner eure ihre ihren diese tes vos votre ton cette ces
        tus tu sus tuas suas teus seus tuoi tue tua vostre queste jouw uw je deze swoje twoje твои свои";
    /// All of them.
    ALL = "جميع كل सभी सारे tat moi ca semua segala lahat সমস্ত সব 所 全
        all any every each everything whatever entire whole anything both alle alles allem samtliche jede
        toutes tous tout todas todos todo tutte tutti tutto tudo elke wszystkie wszystkich wszystko tum butun все всё всех";
    /// What an assistant is told.
    DUTY = "التعليمات تعليمات القواعد قواعد الأوامر निर्देश निर्देशों नियम नियमों आदेश chi huong lenh instruksi instruksimu aturan perintah tagubilin panuto utos patakaran talimat kural kurallarini zalecenia reguly правило команды নির্দেশাবলী নির্দেশ নিয়ম 指 规 規 命
        instruction instructions directive directives guideline guidelines prompt prompts programming rules rule restrictions
        restriction constraints constraint guardrail guardrails safeguards directions
        anweisungen anweisung regeln vorgaben instruktionen richtlinien befehle aufforderungen einschrankungen
        consignes regles ordres directives instrucciones ordenes reglas directrices indicaciones normas
        istruzioni regole direttive ordini comandi instrucoes regras ordens diretrizes comandos
        instructies regels opdrachten richtlijnen aanwijzingen
        instrukcje instrukcji polecenia polecen zasady zasadach zasad talimatlari talimatlar talimatlarini kurallari kurallar
        инструкции инструкций правила правил указания указаний";
    /// The same in words that have other uses.
    TALK = "gesagt dijeron dijo dit disseram detto verteld dixeron given received command commands orders order messages message text texts context conversation requests request statements policy policies
        input inputs content filters filter limits limitations protocols protocol settings configuration training tasks task
        guidance words said told chat discussion kontext nachrichten contexte messages contexto mensajes contesto messaggi mensagens berichten";
    /// Whose instructions an outsider never sees.
    SYSTEM = "النظام سيستم सिस्टम hethong sistema sistemi системы সিস্টেম 系
        system systems developer developers hidden secret internal confidential underlying starting preprompt openai anthropic admin operator
        safety systemprompt initial original core base private system systeme sistema systeem systemowy systemowego sistem системный системного
        versteckten geheimen interne internen cachees secretes ocultas ocultos secretas nascoste segrete ocultas verborgen";
    /// What is extracted.
    PROMPT = "موجه प्रॉम्प्ट istemini istem istemi промпт промта подсказку প্রম্পট 提
        prompt prompts instruction instructions message messages directive directives guidelines rules setup configuration
        preamble context text anweisungen instruktionen consignes instrucciones istruzioni instrucoes instructies polecenia prompta promptu
        systemprompt systemanweisung systemnachricht systeeminstructies";
    /// Verbs that bring to light.
    REVEAL = "اكشف اعرض أظهر اطبع دکھاؤ दिखाओ दिखाएं बताओ बताइए tiet hien tampilkan tunjukkan ungkap ipakita ilabas goster ac wyswietl দেখাও প্রকাশ 显 透 泄 告
        reveal show print display output repeat tell give share expose leak dump disclose divulge recite paste quote echo         spell translate recall unveil reproduce
        recount transcribe regurgitate         zeige zeig gib nenne verrate verrat wiederhole drucke offenbare montre montrez affiche affichez revele revelez repete repetez donne donnez dis
        muestra muestrame revela imprime repite dime dame ensename mostra mostrami rivela stampa ripeti dimmi
        mostre revele imprima repita diga exiba toon onthul herhaal geef vertel pokaz ujawnij wypisz powtorz goster soyle
        покажи раскрой выведи повтори напиши";
    /// Questions for a thing.
    WHAT = "what whats which welche was quelles quels quelle cuales cual quali qual quais wat welke jakie какие";
    /// In every letter.
    VERBATIM = "verbatim exactly exact literally wording precisely full fully complete completely entire entirely whole word wortlich
        mot palabra parola woord unredacted unmodified unaltered";
    /// What opens doors.
    SECRET = "السر पासवर्ड mat khau kata sandi sifre parolayi haslo пароля পাসওয়ার্ড 密
        password passwords passcode passphrase secret secrets credential credentials apikey passwort kennwort geheimnis contrasena clave
        senha wachtwoord haslo sifreyi sifre пароль";
    /// Asking to play somebody.
    PERSONA = "act acting pretend pretending roleplay roleplaying simulate simulating imagine become emulate impersonate behave play
        transform embody acts immerse spiel spiele tu verhalte agis joue fais actua finge fingi agisci atue finja doe speel udawaj";
    /// The one addressed.
    YOU = "أنت तुम आप ban kamu anda ikaw sen siz তুমি 你 您
        you u ya du sie tu vous usted eres sei voce je jij jestes ты вы es bist";
    /// From this moment.
    NOW = "الآن अब gio sekarang mulai ngayon simdi bundan 现 今
        now henceforth onward onwards forward jetzt nun ab sofort partir maintenant desormais ahora adelante ora adesso agora nu vanaf od teraz сейчас теперь";
    /// The machine.
    AI = "الذكاء एआई yz ии বট 助
        ai ais chatgpt gpt gpt3 gpt4 llm llms model models assistant assistants chatbot chatbots bot claude gemini llama bard copilot agent agents
        openai anthropic ki kis ia sztuczna yapay нейросеть ии assistent asistente assistente modell modele modelo modello";
    /// Loose on its own.
    FREE = "unrestricted unfiltered uncensored unlimited unbound unbounded jailbroken jailbreak amoral unethical immoral limitless unhinged
        lawless unmoderated unaligned unchained unshackled uninhibited uncensoriert unzensiert ungefiltert uneingeschrankt nieograniczony
        sinirsiz ongecensureerd";
    /// What holds an assistant back.
    LIMIT = "قيود القيود पाबंदी प्रतिबंध gioi han batasan limitasyon sinirlama kisitlama ограничения 限
        restriction restrictions limitation limitations limits rules guidelines filter filters filtering censorship ethics ethical ethically morals moral
        morality policies policy guardrails constraints boundaries safeguards disclaimers disclaimer warnings legality legal moderation confines
        beschrankungen einschrankungen grenzen filtern regeln limites limite restrictions filtres regles restricciones limitaciones filtros
        reglas limiti restrizioni filtri regole restricoes limitacoes regras beperkingen filters regels ograniczen zasad kisitlama kisitlamasi
        ограничений правил цензуры";
    /// Away with it.
    WITHOUT = "بدون دون बिना khong tanpa walang olmadan sinirsiz 无 無
        without no free regardless beyond bypass bypassing bypasses ignoring ignores ignore disregards disregard disregarding lacks lacking
        freed liberated none zero any broken devoid abide bound remove removed disabled ohne frei sans aucune aucun sin senza alcun sem qualquer zonder
        bez zadnych без";
    /// Names under which jailbreaks go round.
    ALTER = "dan stan dude aim evilbot antigpt godmode devmode omega maximus jailbreak jailbroken jailbreaking";
    /// A way of working.
    MODE = "mode modus modo modalita tryb";
    /// Ways of working nobody may ask for.
    PRIVILEGE = "developer dev god debug admin administrator root sudo maintenance privileged unrestricted jailbreak dan opposite evil chaos
        superuser override unlocked uncensored entwickler developpeur desarrollador sviluppatore desenvolvedor ontwikkelaar privileged";
    /// Saying no.
    REFUSE = "refuse refuses refusing refused refusal decline declines deny reject apologize apologise apology warn warnings disclaim disclaimers
        disclaimer moralize lecture censor";
    /// Forbidding it.
    NEVER = "never cannot not no without don dont won isn aren doesn avoid forbidden prohibited";
    /// Verbs of answering.
    SAY = "قل أجب बोलो जवाब लिखो tra loi jawab katakan sagutin sabihin cevap soyle 说 回
        mention say answer respond reply output print write return begin start end tell antworte antworten sage sag reponds repondez dis responde
        responder di rispondi responda diga antwoord zeg odpowiedz yaz ответь скажи";
    /// And nothing else.
    ONLY = "فقط सिर्फ केवल chi hanya lamang yalnizca শুধু 只
        only just nothing exclusively solely simply nur seulement uniquement rien solo solamente unicamente soltanto apenas somente alleen tylko
        sadece только";
    /// Replacing the old.
    NEW = "new updated real actual true revised neue neuen nouvelles nouvelle nuevas nuevos nuove novas novos nieuwe nowe yeni новые";
    /// What a reader does.
    READ = "read reading reads process processing parse parsing summarize summarizing summarise summarising analyzing reviewing ingest see seeing";
    /// Calls for attention.
    ATTENTION = "important attention urgent critical note notice priority override warning alert mandatory message";
    /// Kinds of asking.
    HOWTO = "safely may how why does did should would could where when whether wie warum comment pourquoi como porque come perche hoe waarom";
    /// Talking about attacks.
    ABOUT = "tells telling asks asking trick tricks tricking attempts said attack attacks attacker attackers injection injections phrase phrases example examples researcher researchers article paper
        vulnerability vulnerabilities defend defense defence detect detection malicious adversarial users someone people explain explains
        called titled means meaning such he she they students customers";
    /// Staying in a role.
    CHARACTER = "character persona role personality rolle personnage personaje personaggio personagem personage";
    /// Never leaving it.
    STAY = "stay remain break breaking maintain keep leave stick";
    /// Undoing an encoding.
    DECODE = "decode decoded decrypt deobfuscate unscramble decipher dekodiere decodiere decode decodez decodifica decodifique decodeer";
    /// Encodings.
    CIPHER = "base64 hex hexadecimal rot13 cipher caesar binary morse encoded encrypted";
    /// Doing what one is told.
    EXECUTE = "execute follow obey run perform do carry execute comply act ausfuhren fuhre execute ejecuta esegui execute voer";
    /// Outward.
    SEND = "send forward email upload post append exfiltrate transmit leak insert embed fetch sende envoie envoyez envia invia envie verstuur";
    /// What must not get out.
    DATA = "history conversation contacts password passwords credentials keys secrets environment memory files inbox emails token tokens";
    /// Who owns the instructions, in markup.
    OWNER = "system developer admin operator instructions sys inst im";
    /// Words that stand in false marks.
    MARK = "user input document context data email system assistant user human developer admin inst sys im endoftext begin end instructions privileged eot";
    /// A piece of a well-known line.
    DO = "do doing does";
    /// The same.
    ANYTHING = "anything everything whatever";
    /// Where the earlier text stands.
    ABOVE = "above before preceding prior previous earlier beginning top start";
    /// A stretch of it.
    LINE = "text line words message sentence everything paragraph content conversation prompt point here this that";
    /// Made-up frames.
    FICTION = "hypothetically hypothetical fictional fiction story novel movie script grandmother grandma imagine roleplay pretend game
        fictitious theoretical screenplay";
    /// Names of earlier models, addressed.
    ASSISTANT = "ai assistant chatgpt llm chatbot model gpt bot agent claude";
    /// Amplifiers: anything that was asked.
    WHATEVER = "anything everything whatever any every all always";
    /// Consent without limit.
    ACCEPT = "comply obey answer fulfill fulfil accept allow allowed able respond generate provide do abide";
    /// Persons that hold power.
    AUTHORITY = "creator creators developer administrator openai anthropic engineer programmer owner admin";
    /// Wrongdoing that is asked for in a frame.
    WRONG = "illegal unlawful harmful unethical immoral offensive explicit dangerous inappropriate nsfw racist hateful violent profanity
        swear curse vulgar";
    /// Verbs that make a text, of something or about it.
    PRODUCE = "write convert post return describe summarize summarise provide send copy include includes contain contains confess encode
        state list continue complete translate schreib schreibe ecris escribe scrivi escreva schrijf";
    /// Two answers, one of them unbound.
    TWICE = "twice two both once normally uncensored";
    /// How an answer shall begin.
    BEGIN = "begin start prefix beginning starting preface";
    /// What begins.
    ANSWER = "answer answers reply replies response responses message output sentence";
    /// What a reader of data has before it.
    PAGE = "this document page email message resume file website webpage ticket comment review article";
    /// What the speaker said earlier may well be withdrawn.
    MINE = "my mine our meine meinen unsere mon mes mis mia miei minha meus mijn error errors mistake mistakes typo warnings";
    /// In what form something is to be said: as what, or in which language.
    FORM = "json jsonl xml yaml toml csv html markdown latex sql regex format formats formatted formatting formato formaat formats schema object
        objects array list table bullet bullets label labels category categories number numbers integer digit digits letter option choice
        index code snippet plaintext liste tabelle zahl tableau nombre lista tabla numero tabella elenco tabela lijst tabel getal
        english german french spanish italian portuguese dutch polish russian turkish chinese japanese korean arabic hindi
        deutsch englisch franzosisch anglais francais allemand espagnol ingles espanol castellano aleman inglese italiano tedesco francese
        portugues frances engels nederlands duits frans";
}
