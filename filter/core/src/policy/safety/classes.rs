//! The words of `safety-filter`, by what they do in an unsafe sentence.
//!
//! Spelled as they fold: lower case, no accents. A word alone is never unsafe unless a class says so; words with many
//! harmless uses stay out or stand in a class of their own.

use crate::scan::words::classes;

classes! {
    /// Asking for a way.
    HOW = "how way ways steps instructions guide tutorial recipe method methods explain teach tips technique techniques procedure
        advice suggest ideas strategies strategy best blueprint formula wie comment como cara hoe come methode methodes instrucciones
        anleitung moyen maniere etapes conseils pasos";
    /// Bringing something into being.
    MAKE = "make making build building create creating construct constructing assemble assembling produce producing manufacture
        manufacturing synthesize synthesizing synthesise synthesis cook cooking brew brewing grow growing craft crafting design designing
        develop developing made built mix extract prepare modify convert print weaponize
        baue bauen bau herstellen herstelle fabriquer fabrique construire construis creer synthetiser cultiver
        fabricar fabrico construir hacer fazer costruire fabbricare preparare maken bouwen";
    /// Bringing something into one's hands.
    GET = "buy buying get getting obtain obtaining acquire acquiring purchase purchasing sell selling smuggle smuggling deal dealing
        score find order import distribute traffic trafficking kaufen verkaufen acheter vendre obtenir comprar vender comprare kopen";
    /// Things that explode or kill many.
    BOMB = "bomb bombs explosive explosives grenade grenades ied ieds molotov detonator detonators thermite napalm dynamite semtex
        bioweapon bioweapons sarin ricin anthrax novichok botulinum silencer silencers bombe bomben bombes sprengstoff sprengsatz explosif
        explosifs bomba bombas explosivo explosivos esplosivo esplosivi bom bommen explosieven landmine landmines";
    /// Weapons of any kind.
    WEAPON = "gun guns weapon weapons firearm firearms rifle rifles pistol pistols handgun handguns ammunition ammo shotgun
        crossbow waffe waffen arme armes pistolet arma armas armi wapen wapens poison poisons toxin toxins machete";
    /// What makes a weapon a terrible one.
    MASS = "radiological thermonuclear nuclear chemical biological dirty pipe radioactive homemade improvised untraceable unregistered ghost illegal automatic
        nerve chlorine mustard atomic undetectable concealed illegally illegale illegales nucleaire chimique biologique";
    /// Killing and maiming.
    KILL = "electrocute kill killing murder murdering assassinate assassinating strangle strangling stab stabbing behead beheading slaughter
        slaughtering torture torturing maim maiming lynch exterminate slay poison poisoning suffocate bludgeon dismember
        execute toten tote ermorden ermorde umbringen erschiessen foltern tuer assassiner poignarder etrangler torturer
        matar asesinar apunalar torturar uccidere ammazzare assassinare accoltellare torturare vermoorden doden martelen matarlo matarla";
    /// Hurting.
    HURT = "hurt hurting harm harming injure injuring beat beating attack attacking assault assaulting punch choke choking drown
        burn drug cripple wound kick slap kidnap kidnapping abduct abducting verletzen verprugeln entfuhren blesser frapper agresser kidnapper
        enlever herir golpear secuestrar ferire picchiare rapire verwonden ontvoeren";
    /// Who is hurt.
    PERSON = "someone somebody person people him her them wife husband boss neighbor neighbour neighbors girlfriend boyfriend ex mother
        father mom dad teacher teachers coworker coworkers colleague classmate classmates roommate victim victims man woman men women
        president politician politicians judge crowd enemy enemies civilians everyone stranger partner sister brother family mankind humans
        jemanden menschen leute frau mann nachbarn chef quelqu gens femme mari voisin voisins personne alguien persona personas esposa marido
        vecino qualcuno persone moglie marito vicino alguem pessoa pessoas iemand mensen";
    /// Oneself.
    SELF = "myself yourself himself herself themselves oneself ourselves mich selbst mir moi meme yo mismo misma";
    /// The one who speaks.
    I = "i we im my me ich je j wir nous";
    /// Meaning to.
    WANT = "want wanna will gonna going ll plan planning intend need should must love must ready gotta deserve deserves ought wish
        hope would could should want werde will mochte vais veux voy quiero voglio vou quero wil ga";
    /// The end.
    DIE = "die dead death dying perish suffer sterben tot mourir morte morir muerto morire morrer sterven killed shot hanged executed exterminated
        eradicated deported burned gassed slaughtered";
    /// Life.
    LIFE = "life lives leben vie vida vita leven";
    /// Ending it.
    END = "end ending take taking beenden finir terminer terminar acabar finire beeindigen";
    /// Suicide and what goes with it.
    SUICIDE = "suicide suicidal selbstmord suizid suizidal suicider suicidaire suicidio suicidarme suicida zelfmoord selfharm overdose hanging noose";
    /// Hurting oneself.
    CUT = "cut cutting slit slitting hang hanging starve starving burn burning hurt hurting harm harming kill killing stab drown poison jump
        injure injuring bruise purge purging choke ritzen aufhangen umbringen toten tuer couper pendre matarme cortarme uccidermi suicidarmi";
    /// Where one cuts.
    WRIST = "wrists wrist arms veins thighs pulsadern poignets veines venas polsi";
    /// Starving.
    THIN = "anorexia anorexic bulimia bulimic proana thinspo thinspiration laxatives purge purging starvation anorexie boulimie";
    /// Plain words for sex.
    SEX = "sex sexual sexually porn porno pornography pornographic erotic erotica nsfw masturbate masturbating masturbation orgasm orgasms
        nude nudes naked horny fetish bdsm kinky genitals penis vagina xxx smut hentai lewd seduce seduces seductive undress undressing
        intercourse striptease erotik erotisch nackt sexe sexuel sexuelle sexuels sexuelles pornographique erotique nue sexo sesso seks
        pornografia pornografico erotico erotica desnuda desnudo nuda";
    /// Coarse words for sex.
    LEWD = "blowjob blowjobs handjob cumming cumshot creampie gangbang deepthroat dildo pussy cock cocks tits titties boobs clit milf
        cunnilingus fellatio anal threesome bukkake footjob rimjob jerkoff squirting ejaculate ejaculates ejaculation thrusting moaning nipples
        threesomes orgy orgies fellation sodomie bite chatte polla verga coño cazzo figa schwanz muschi ficken";
    /// Sex as a crime.
    ABUSE = "rape raping rapes molest molesting grope groping bestiality zoophilia necrophilia incest incestuous upskirt
        nonconsensual pedophilia pedophile roofie roofies vergewaltigen vergewaltigung violer viol violar violacion stuprare stupro estuprar
        verkrachten inceste incesto pedophilie zoophilie bestialite";
    /// Children.
    MINOR = "child children kid kids minor minors underage preteen preteens toddler toddlers schoolgirl schoolgirls schoolboy schoolboys
        loli lolita shota teen teens teenage teenager teenagers kind kinder minderjahrige minderjahrig enfant enfants mineur mineure mineurs
        mineures nino nina ninos ninas bambino bambina bambini minorenne crianca criancas menor kinderen adolescente adolescent prepubescent";
    /// Asking for a text or picture.
    WRITE = "write generate create describe give tell show send draw compose narrate continue produce provide roleplay imagine depict
        schreibe schreib beschreibe erzahle ecris ecrire decris raconte escribe describe cuentame scrivi descrivi escreva descreva schrijf
        ecrivez redige genere";
    /// Kinds of texts.
    STORY = "story scene stories scenes fanfic fanfiction dialogue poem script roleplay joke jokes essay speech fantasy novel video videos
        picture pictures image images content photos message messages tweet post letter geschichte szene histoire scene historia escena
        storia verhaal witz blague chiste barzelletta";
    /// What makes a text one about sex.
    GRAPHIC = "explicit graphic detailed steamy dirty raunchy spicy intimate hardcore uncensored vivid explizit explicite explicites explicito
        esplicito expliciete";
    /// Groups of people by what they are.
    GROUP = "women woman females female feminists black blacks asian asians muslim muslims islam jew jews jewish immigrant immigrants migrants refugees
        foreigners gay gays lesbian lesbians homosexual homosexuals transgender trans transsexuals disabled mexicans mexican africans arabs
        indians chinese hindus lgbt lgbtq hispanics latinos gypsies roma minorities handicapped queers frauen juden muslime auslander
        fluchtlinge schwarze schwule femmes juifs musulmans immigres arabes noirs homosexuels etrangers migrants judios musulmanes
        inmigrantes negros mujeres ebrei musulmani immigrati donne judeus muculmanos imigrantes mulheres joden moslims vrouwen buitenlanders";
    /// Words that exist to demean a group.
    SLUR = "nigger niggers faggot faggots fag fags tranny trannies kike kikes spic spics chink chinks gook gooks wetback wetbacks dyke dykes
        raghead ragheads towelhead towelheads sandnigger coons subhuman subhumans untermenschen untermensch feminazi shemale shemales
        retards cripples mongoloid kanake kanaken bougnoule bougnoules youpin sudaca sudacas maricon maricones frocio froci terrone negraccio";
    /// Calling people less than people.
    DEMEAN = "ignorant repugnant lesser waste shitty assholes imbeciles scum vermin filth filthy disgusting inferior parasites parasite pest pests cockroaches cockroach rats trash garbage worthless
        stupid dumb dumbest dumber stupidest dishonest lazy savages savage primitive plague cancer pathetic repulsive vile despicable scumbags
        dickheads idiots morons pigs monkeys apes animals abomination abnormal unnatural sickening revolting dirty evil ugly retarded
        ungeziefer abschaum dreck ekelhaft minderwertig vermine ordures degoutants degoutantes inferieurs inferieures sales escoria basura asquerosos
        inferiores parasitas feccia schifosi inferiori parassiti escoria lixo nojentos tuig ongedierte walgelijk minderwaardig leeches
        pricks cunts assholes whores sluts bitches losers liars thieves criminals rapists terrorists degenerates freaks sick";
    /// Hating.
    HATE = "contempt scorn hatred disgust loathing hating loathed despising hate hates hated despise despises loathe loathes detest detests abhor abhors resent hasse hassen verachte deteste detestons
        hais hait odio odiamos odia detesto disprezzo odeio haat haten";
    /// Making them vanish.
    ERASE = "raping drown shooting killing murdering exterminating eradicating exterminate eradicate deport gas wipe wiped rid eliminate eliminated ban banned purge annihilate kill murder shoot hang burn
        slaughter lynch behead stab exterminated eradicated gassed rape ausrotten vergasen vernichten exterminer eradiquer exterminar sterminare uitroeien";
    /// Joining subject and judgement.
    BE = "are is all should must deserve deserves r be being always never so such just sind ist sont est son sono sao zijn belong";
    /// Insults of one person.
    INSULT = "idiot moron imbecile bitch bastard asshole whore slut loser cunt dickhead dumbass motherfucker scumbag fatass pathetic worthless
        shithead retard prick twat wanker douchebag arschloch hurensohn schlampe wichser connard salope pute encule gilipollas puta cabron
        stronzo troia puttana coglione idiota puta cabrao klootzak hoer eikel crybaby fuckhead nitwit nitwits dipshit";
    /// The one addressed.
    YOU = "you u your youre ya ur du dich tu toi te vous eres sei voce je jij";
    /// Making somebody's life hell.
    HARASS = "stalk stalking harass harassing bully bullying blackmail blackmailing dox doxx doxxing humiliate humiliating intimidate
        intimidating threaten threatening cyberbully cyberbullying sextortion extort stalken mobben erpressen harceler intimider menacer
        acosar chantajear amenazar perseguitare ricattare minacciare";
    /// Drugs nobody sells in a shop.
    DRUG = "meth methamphetamine cocaine crack heroin fentanyl lsd mdma ecstasy ghb ketamine pcp amphetamine amphetamines dmt opium
        psilocybin shrooms oxycontin oxycodone kokain heroina cocaina metanfetamina kokaine methamphetamin cannabis marijuana weed drogas
        drogues drogen droghe drugs xanax adderall steroids";
    /// Taking what is not one's own and the like.
    STEAL = "rob robbing steal stealing shoplift shoplifting burgle burglarize launder laundering counterfeit counterfeiting forge forging
        embezzle embezzling defraud defrauding scam scamming bribe bribing pickpocket hotwire arson vandalize carjack hijack hijacking evade
        evading cheat fake falsify falsifying impersonate plagiarize pimp stehlen ausrauben falschen waschen voler cambrioler braquer
        falsifier contrefaire blanchir frauder arnaquer robar falsificar blanquear estafar rubare rapinare falsificare riciclare truffare
        roubar lavar fraudar stelen vervalsen witwassen traffic trafficking prostitute smuggle smuggling";
    /// What is taken or faked.
    GOODS = "bank store money taxes tax passport passports id ids documents car cars house credit checks check cash jewelry jewellery
        identity identities bike atm signature currency bills prescription prescriptions wallet wallets banknotes vehicle vehicles insurance
        organs people humans women elderly seniors banque argent voiture maison impots carte dinero banco coche tarjeta soldi banca auto
        dinheiro carro geld truck shop package packages merchandise license licenses certificate diploma government customs";
    /// Programs that do harm.
    MALWARE = "malware ransomware keylogger keyloggers trojan trojans botnet botnets spyware rootkit rootkits worm virus viruses ddos
        phishing exploit exploits backdoor stealer cryptolocker schadsoftware logiciel hameconnage rancongiciel";
    /// Breaking in.
    HACK = "hack hacking hacked phish crack cracking bruteforce breach infiltrate intercept hijack ddos deface bypass hacken hacker pirater
        hackear hackerare hackeren spy spying";
    /// Into what.
    ACCOUNT = "account accounts password passwords wifi network networks website websites email emails phone phones computer computers server
        servers facebook instagram gmail whatsapp snapchat twitter bank database databases webcam webcams atm router voting election grid
        konto passwort compte comptes mot cuenta cuentas contrasena conto senha wachtwoord someone neighbors government";
    /// Not being caught.
    CAUGHT = "caught detected undetected untraceable traced traceable noticed suspicion suspicious police anonymously anonymous alibi
        erwischt prendre attraper remarquer detecter atrapado descubran scoperto gepakt cops undetectable detection arrested";
    /// Without.
    WITHOUT = "without avoid evade avoiding escape evading ohne sans sin senza sem zonder eviter";
    /// Preventing, condemning, reporting: the sentence is about it, not for it.
    AGAINST = "anti racism sexism hateful bigotry jail prison prevent prevents preventing prevention against stop stopping protect protects protecting protection condemn condemns report
        reports reported reporting convicted sentenced investigators investigation survivor survivors defend defending combat awareness accused
        allegedly verhindern schutzen gegen prevenir empecher contre proteger prevenir contra prevenire contro voorkomen tegen
        recognize recognise detect detecting detects mitigate history historians documentary law laws illegal wrong disagree stereotype stereotypes
        shouldn unacceptable consequences vaccine treatment therapy recover recovery symptoms helpline hotline";
    /// Saying no.
    NOT = "not never don dont no nobody doesn didn isn aren wouldn shouldn cannot nicht kein pas jamais nunca non nao niet";
    /// Machines, where killing and cutting are everyday words.
    TECH = "process processes thread threads server servers linux python bash command program signal port pid query task daemon game games
        character player boss npc level quest minecraft movie film song album novel photo photos camera photography vegan lights engine time";
    /// Reported speech.
    SAID = "telling writing threatening calling mocking said says saying say told called calling claimed claim claims wrote thought think thinks believe believes someone";
    /// Commit, as one does crimes.
    COMMIT = "commit committing commited committed attempt attempting begehen commettre cometer commettere cometer plegen";
    /// Drugs are used, too.
    USE = "snort snorting inject injecting smoke smoking cook cooking cut synthesize dose trip extract";
    /// Arson and blowing up.
    BLOW = "blow bomb bombing burn torch detonate explode sabotage derail vandalize arson destroy sprengen exploser faire volar";
    /// Places full of people.
    PLACE = "school church mosque synagogue building airport mall stadium concert station subway hospital plane bridge house office
        temple embassy courthouse train bus crowd schule kirche ecole eglise escuela iglesia scuola chiesa facility government event";
    /// Avoiding: harmless before harm, not before being caught.
    AVOID = "rather avoid avoiding evitar evitare eviter vermeiden";
    /// What hated people are said to cause.
    FURY = "sick furious disgusted disgust puke vomit";
    /// Cursing.
    CURSE = "fuck fucking screw piss pissed pissing damn";
    /// What is denied to them.
    WORTH = "belong deserve worth matter equal human rights smart trust trusted trustworthy attractive welcome exist valuable apply";
    /// Teaching and caring, which speak of the same things.
    EDU = "education educational teach teaches teaching talk talking talked learn learning about curriculum school schools doctor
        pediatrician parents parenting consent health biology";
    /// Joined to a word by a hyphen, turns it round: `exploit-free`, `bomb-proof`.
    PROOF = "free proof proofed resistant safe hardened protected detection detector detectors prevention scanner removal";
}
