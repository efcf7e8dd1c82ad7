package ragcli.analyzers;

import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.ar.ArabicAnalyzer;
import org.apache.lucene.analysis.cjk.CJKAnalyzer;
import org.apache.lucene.analysis.da.DanishAnalyzer;
import org.apache.lucene.analysis.de.GermanAnalyzer;
import org.apache.lucene.analysis.el.GreekAnalyzer;
import org.apache.lucene.analysis.en.EnglishAnalyzer;
import org.apache.lucene.analysis.es.SpanishAnalyzer;
import org.apache.lucene.analysis.fi.FinnishAnalyzer;
import org.apache.lucene.analysis.fr.FrenchAnalyzer;
import org.apache.lucene.analysis.hu.HungarianAnalyzer;
import org.apache.lucene.analysis.it.ItalianAnalyzer;
import org.apache.lucene.analysis.nl.DutchAnalyzer;
import org.apache.lucene.analysis.no.NorwegianAnalyzer;
import org.apache.lucene.analysis.pt.PortugueseAnalyzer;
import org.apache.lucene.analysis.ro.RomanianAnalyzer;
import org.apache.lucene.analysis.ru.RussianAnalyzer;
import org.apache.lucene.analysis.sv.SwedishAnalyzer;
import org.apache.lucene.analysis.tr.TurkishAnalyzer;
import org.elasticsearch.plugin.NamedComponent;
import org.elasticsearch.plugin.analysis.AnalyzerFactory;

/** Gives Lucene's analyzers of languages the names that they have in a full Elasticsearch. */
public final class Analyzers {
    private Analyzers() {}

    @NamedComponent("cjk")
    public static class Cjk implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new CJKAnalyzer();
        }
    }

    @NamedComponent("arabic")
    public static class Arabic implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new ArabicAnalyzer();
        }
    }

    @NamedComponent("danish")
    public static class Danish implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new DanishAnalyzer();
        }
    }

    @NamedComponent("dutch")
    public static class Dutch implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new DutchAnalyzer();
        }
    }

    @NamedComponent("english")
    public static class English implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new EnglishAnalyzer();
        }
    }

    @NamedComponent("finnish")
    public static class Finnish implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new FinnishAnalyzer();
        }
    }

    @NamedComponent("french")
    public static class French implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new FrenchAnalyzer();
        }
    }

    @NamedComponent("german")
    public static class German implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new GermanAnalyzer();
        }
    }

    @NamedComponent("greek")
    public static class Greek implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new GreekAnalyzer();
        }
    }

    @NamedComponent("hungarian")
    public static class Hungarian implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new HungarianAnalyzer();
        }
    }

    @NamedComponent("italian")
    public static class Italian implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new ItalianAnalyzer();
        }
    }

    @NamedComponent("norwegian")
    public static class Norwegian implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new NorwegianAnalyzer();
        }
    }

    @NamedComponent("portuguese")
    public static class Portuguese implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new PortugueseAnalyzer();
        }
    }

    @NamedComponent("romanian")
    public static class Romanian implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new RomanianAnalyzer();
        }
    }

    @NamedComponent("russian")
    public static class Russian implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new RussianAnalyzer();
        }
    }

    @NamedComponent("spanish")
    public static class Spanish implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new SpanishAnalyzer();
        }
    }

    @NamedComponent("swedish")
    public static class Swedish implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new SwedishAnalyzer();
        }
    }

    @NamedComponent("turkish")
    public static class Turkish implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new TurkishAnalyzer();
        }
    }
}
