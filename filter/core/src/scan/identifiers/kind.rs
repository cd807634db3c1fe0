//! The kinds of identifiers: their names, their markers, and sets of them.
//!
//! Recognises nothing. Invariant: names never change, they are what configurations and events say.

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal $marker:literal,)*) => {
        /// A kind of identifier.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Identifier {
            $($(#[$doc])* $kind,)*
        }

        impl Identifier {
            /// Every kind.
            pub const ALL: &'static [Identifier] = &[$(Identifier::$kind,)*];
        }

        /// Name and marker of each kind, in the order of the kinds.
        static NAMES: &[(&str, &str)] = &[$(($name, $marker),)*];
    };
}

kinds! {
    /// An e-mail address.
    Email "email" "EMAIL",
    /// A telephone number, international or with separators.
    Phone "phone" "PHONE",
    /// A US social security number.
    UsSsn "us_ssn" "SSN",
    /// A payment card number with a known issuer and the right check digit.
    CreditCard "credit_card" "CARD",
    /// An international bank account number with the right check digits.
    Iban "iban" "IBAN",
    /// An IPv4 or IPv6 address.
    Ip "ip" "IP",
    /// The hardware address of a network card.
    Mac "mac" "MAC",
    /// A Bitcoin or Ethereum address.
    Crypto "crypto" "CRYPTO",
    /// A US individual taxpayer number.
    UsItin "us_itin" "ITIN",
    /// A token, a key, a credential.
    Secret "secret" "SECRET",
    /// A date of birth, after a word that says so.
    Dob "dob" "DOB",
    /// A postal address.
    Address "address" "ADDRESS",
    /// The number of a passport of any country.
    Passport "passport" "PASSPORT",
    /// The number of a driving licence of any country.
    DriverLicense "driver_license" "DRIVER_LICENSE",
    /// The number of an identity card whose country is not known.
    NationalId "national_id" "NATIONAL_ID",
    /// A number of the UK's National Health Service.
    UkNhs "uk_nhs" "NHS",
    /// A UK national insurance number.
    UkNino "uk_nino" "NINO",
    /// A UK unique taxpayer reference.
    UkUtr "uk_utr" "UTR",
    /// A German tax identification number.
    DeTaxId "de_tax_id" "TAX_ID",
    /// A German tax number, as tax offices give them.
    DeTaxNumber "de_tax_number" "TAX_ID",
    /// The number of a German identity card.
    DeIdCard "de_id_card" "ID_CARD",
    /// A German pension insurance number.
    DeSsn "de_ssn" "SSN",
    /// A French social security number.
    FrNir "fr_nir" "NIR",
    /// A French tax number.
    FrTaxId "fr_tax_id" "TAX_ID",
    /// A Spanish identity number of citizens.
    EsNif "es_nif" "NIF",
    /// A Spanish identity number of foreigners.
    EsNie "es_nie" "NIE",
    /// A Spanish social security number.
    EsNss "es_nss" "SSN",
    /// An Italian fiscal code.
    ItFiscalCode "it_fiscal_code" "FISCAL_CODE",
    /// The number of an Italian identity card.
    ItIdentityCard "it_identity_card" "ID_CARD",
    /// An Italian VAT number, which people in trade have too.
    ItVatCode "it_vat_code" "TAX_ID",
    /// A Dutch citizen service number.
    NlBsn "nl_bsn" "BSN",
    /// An Indian Aadhaar number.
    InAadhaar "in_aadhaar" "AADHAAR",
    /// An Indian permanent account number.
    InPan "in_pan" "PAN",
    /// An Indian voter's number.
    InVoter "in_voter" "VOTER_ID",
    /// An Indian goods and services tax number.
    InGstin "in_gstin" "TAX_ID",
    /// A Polish personal number.
    PlPesel "pl_pesel" "PESEL",
    /// A Portuguese tax number.
    PtNif "pt_nif" "NIF",
    /// A Brazilian taxpayer number of persons.
    BrCpf "br_cpf" "CPF",
    /// A Canadian social insurance number.
    CaSin "ca_sin" "SIN",
    /// An Australian tax file number.
    AuTfn "au_tfn" "TFN",
    /// An Australian Medicare number.
    AuMedicare "au_medicare" "MEDICARE",
    /// A Swedish personal number.
    SePersonnummer "se_personnummer" "PERSONAL_ID",
    /// A Finnish personal identity code.
    FiPersonalIdentityCode "fi_personal_identity_code" "PERSONAL_ID",
    /// A Danish personal number.
    DkCpr "dk_cpr" "PERSONAL_ID",
    /// A Norwegian birth number.
    NoFnr "no_fnr" "PERSONAL_ID",
    /// A Czech or Slovak birth number.
    CzBirthNumber "cz_birth_number" "PERSONAL_ID",
    /// A Belgian national register number.
    BeNrn "be_nrn" "PERSONAL_ID",
    /// A Swiss insurance number.
    ChAhv "ch_ahv" "AHV",
    /// An Austrian insurance number.
    AtSvnr "at_svnr" "SSN",
    /// An Irish personal public service number.
    IePps "ie_pps" "PPS",
    /// A Croatian personal number.
    HrOib "hr_oib" "PERSONAL_ID",
    /// A Turkish identity number.
    TrNationalId "tr_national_id" "PERSONAL_ID",
    /// A South African identity number.
    ZaIdNumber "za_id_number" "PERSONAL_ID",
    /// A Singaporean identity number.
    SgNricFin "sg_nric_fin" "NRIC",
    /// A Korean registration number, of residents and of foreigners.
    KrRrn "kr_rrn" "RRN",
    /// A Mexican population registry code.
    MxCurp "mx_curp" "CURP",
    /// A Chinese resident identity number.
    CnIdCard "cn_id_card" "ID_CARD",
    /// The number of a patient's record.
    Mrn "mrn" "MRN",
    /// The number of a member of a health plan.
    HealthPlan "health_plan" "HEALTH_PLAN",
    /// A telefax number.
    Fax "fax" "FAX",
}

impl Identifier {
    /// The name in configuration and reason codes.
    pub fn name(self) -> &'static str {
        NAMES.get(self as usize).map_or("", |(name, _)| name)
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        let at = NAMES.iter().position(|(known, _)| *known == name)?;
        Identifier::ALL.get(at).copied()
    }

    /// The name in a marker of redaction.
    pub fn marker_name(self) -> &'static str {
        NAMES.get(self as usize).map_or("", |(_, marker)| marker)
    }
}

/// A set of kinds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Identifiers(u64);

const _: () = assert!(Identifier::ALL.len() <= 64, "a set is 64 bits");

impl Identifiers {
    /// What only an operator who deals with medical data wants.
    pub const HEALTHCARE: Identifiers =
        Identifiers(bit(Identifier::Mrn) | bit(Identifier::HealthPlan) | bit(Identifier::Fax));

    /// What has a form of its own: the part of a set that [`super::next`] finds.
    const FORMED: Identifiers = Identifiers((bit(Identifier::Secret) << 1) - 1);

    /// What a label makes what it is: the part that [`super::next_labelled`] finds.
    pub(super) const LABELLED: Identifiers = Identifiers(Identifiers::all().0 & !Identifiers::FORMED.0);

    /// No kind.
    pub const fn none() -> Self {
        Identifiers(0)
    }

    /// Every kind.
    pub const fn all() -> Self {
        Identifiers(u64::MAX >> (64 - Identifier::ALL.len()))
    }

    /// What is looked for unless the operator says otherwise.
    pub const fn usual() -> Self {
        Identifiers(Identifiers::all().0 & !Identifiers::HEALTHCARE.0)
    }

    /// The set and `kind`.
    pub const fn with(self, kind: Identifier) -> Self {
        Identifiers(self.0 | bit(kind))
    }

    /// The set but `kind`.
    pub const fn without(self, kind: Identifier) -> Self {
        Identifiers(self.0 & !bit(kind))
    }

    /// `kind` is in the set.
    pub const fn contains(self, kind: Identifier) -> bool {
        self.0 & bit(kind) != 0
    }

    /// Some kind is in both sets.
    pub const fn meets(self, other: Identifiers) -> bool {
        self.0 & other.0 != 0
    }

    /// Nothing is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

const fn bit(kind: Identifier) -> u64 {
    1 << kind as u64
}
