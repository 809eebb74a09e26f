//! Properties of any text: nothing panics, a shown value parses to the same value, no message contains a secret.

use proptest::prelude::*;

use crate::config::tests::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_in_the_file_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Config::load(&Machine::new().file("work/usher.toml", bytes).inputs);
    }

    #[test]
    fn no_text_panics_in_any_source(setting in prop::sample::select(SETTINGS), text in any::<String>(), name in any::<String>()) {
        let quoted = format!("{} = '''{text}'''\n", setting.name);
        let _ = Config::load(&from_file(&quoted).inputs);
        let _ = Config::load(&from_file(&format!("{name} = {text}")).inputs);
        let _ = Config::load(&Machine::new().env(&setting.variable(), &text).inputs);
        let _ = Config::load(&Machine::new().env(&format!("USHER_{name}"), &text).inputs);
        let _ = Config::load(&Machine::new().env("STATE_DIRECTORY", &text).inputs);
        let _ = Config::load(&Machine::new().env("USHER_CONFIG", &text).inputs);
        let _ = Config::load(&Machine::new().flag(setting.name, &text).inputs);
        let _ = Config::load(&Machine::new().config(&text).inputs);
    }

    #[test]
    fn a_shown_value_parses_to_the_same_value(
        setting in prop::sample::select(SETTINGS),
        text in "[a-z:/.,=0-9\\[\\] -]{1,20}|(https?|app)://[a-z.é]{1,9}(:[0-9]{1,5})?|[0-9]{1,3}(\\.[0-9]{1,3}){3}([:/][0-9]{1,3})?",
    ) {
        if let Ok(config) = Config::load(&Machine::new().flag(setting.name, &text).inputs) {
            let shown = config.shown(setting.name);
            let again = Config::load(&Machine::new().flag(setting.name, &shown).inputs);
            prop_assert_eq!(again.map(|config| config.shown(setting.name)), Ok(shown));
        }
    }

    #[test]
    fn no_message_contains_a_secret(other in prop::sample::select(SETTINGS), bad in "[!-~]{0,8}") {
        let pair = || Machine::new().env("USHER_SECRET_KEY", SENTINEL).env("USHER_SUPERUSER_PASSWORD", SENTINEL);
        let text = format!("secret_key = '{SENTINEL}'\nsuperuser_password = \"{SENTINEL}\"\n{} = {bad}", other.name);
        for machine in [pair(), pair().flag(other.name, &bad), from_file(&text), pair().env("USHER_CONFIG", &bad)] {
            if let Err(error) = Config::load(&machine.inputs) {
                prop_assert!(!format!("{error} {error:?} {:?}", machine.inputs).contains("hunter2"), "{}", error);
            }
        }
    }
}
